import { type ClientConnection, createClientConnection } from './client-connection.ts'
import { createLatencyHistogram, type LatencySummary } from './latency-histogram.ts'
import type { GeneratedRequest } from './requests.ts'

export interface ConstantRateOptions {
  url: string
  /** Requests a second. */
  rate: number
  /** The rate rises to its height, and users come, evenly over this time, which does not count. */
  rampSeconds: number
  /** The time that counts. */
  seconds: number
  users: number
  /**
   * Connections are opened as they are needed, up to this many. A request beyond waits, and its
   * wait counts.
   */
  connections?: number
  /** @param active users who have come so far */
  nextRequest: (active: number) => GeneratedRequest
  onMeasuring: () => void
  /** A second of what counts. */
  onSecond: (second: Figures) => void
}

/** Of some time. */
export interface Figures {
  /** Requests whose time came. */
  due: number
  /** Milliseconds from the time at which a request was due to the end of its response. */
  latency: LatencySummary
  /** How many responses had which status; `closed` and `late` had none. */
  statuses: Record<string, number>
  /** Neither 200 nor the user's own. */
  failed: number
  /** Responses of 200 with another user in them. */
  otherUser: number
}

/** An answer after that is of no use to a person; the request counts as failed. */
const lateMs = 10_000

const tickMs = 1

/**
 * Sends requests when they are due, however late the answers to those before are, and measures each
 * from the time at which it was due: a queue, of the gateway or here, is part of the latency.
 */
export async function runConstantRate(options: ConstantRateOptions): Promise<Figures> {
  const { url, rate, rampSeconds, seconds, users, connections = 512 } = options
  const { nextRequest, onMeasuring, onSecond } = options
  const { hostname, port } = new URL(url)
  const all = createTally()
  const second = createTally()
  const idle: ClientConnection[] = []
  const waiting = new Set<Exchange>()
  const sent = new Set<Exchange>()
  let opened = 0

  const startedAt = performance.now()
  const measuredFrom = startedAt + rampSeconds * 1000
  const endsAt = measuredFrom + seconds * 1000
  let dueAt = startedAt
  /** Requests that count and have been due. */
  let counted = 0

  function plan(): void {
    const now = performance.now()
    while (dueAt <= now && dueAt < endsAt) {
      const share = rampSeconds === 0 ? 1 : Math.min(1, (dueAt - startedAt) / (rampSeconds * 1000))
      const exchange: Exchange = {
        request: nextRequest(Math.max(1, Math.floor(users * share))),
        dueAt,
        counts: dueAt >= measuredFrom,
        isOver: false,
      }
      if (exchange.counts) {
        counted++
        for (const tally of [all, second]) tally.addDue()
      }
      waiting.add(exchange)
      // The ramp starts at one request a second. After it no rounding adds up.
      const inRamp = dueAt + 1000 / Math.max(1, rate * share)
      dueAt = inRamp < measuredFrom ? inRamp : measuredFrom + (counted * 1000) / rate
    }
    sendWaiting()
  }

  function sendWaiting(): void {
    for (const exchange of waiting) {
      const connection = idle.shift() ?? open()
      if (!connection) return
      waiting.delete(exchange)
      send(connection, exchange)
    }
  }

  function open(): ClientConnection | undefined {
    if (opened === connections) return undefined
    opened++
    const connection = createClientConnection({
      hostname,
      port: Number(port),
      onClose() {
        opened--
        const at = idle.indexOf(connection)
        if (at !== -1) idle.splice(at, 1)
      },
    })
    return connection
  }

  function send(connection: ClientConnection, exchange: Exchange): void {
    exchange.connection = connection
    sent.add(exchange)
    connection.send(exchange.request.text, function onResponse(status, response) {
      sent.delete(exchange)
      if (status !== undefined) idle.push(connection)
      if (!exchange.isOver) {
        const isOwn = status === 200 && exchange.request.isOwn(response)
        finish(exchange, `${status ?? 'closed'}`, isOwn)
      }
      sendWaiting()
    })
  }

  function finish(exchange: Exchange, status: string, isOwn: boolean): void {
    exchange.isOver = true
    if (!exchange.counts) return
    const latencyUs = (performance.now() - exchange.dueAt) * 1000
    for (const tally of [all, second]) tally.add(status, isOwn, latencyUs)
  }

  /** Both sets are in the order in which their requests were due. */
  function giveUpLate(): void {
    const before = performance.now() - lateMs
    for (const exchange of sent) {
      if (exchange.dueAt > before) break
      finish(exchange, 'late', false)
      exchange.connection?.destroy()
    }
    for (const exchange of waiting) {
      if (exchange.dueAt > before) break
      finish(exchange, 'late', false)
      waiting.delete(exchange)
    }
  }

  const ticking = setInterval(plan, tickMs)
  const sweeping = setInterval(giveUpLate, 1000)
  await at(measuredFrom)
  onMeasuring()
  const reporting = setInterval(() => onSecond(second.take()), 1000)
  await at(endsAt)
  clearInterval(ticking)
  while (sent.size > 0 || waiting.size > 0) await at(performance.now() + 10)
  for (const timer of [sweeping, reporting]) clearInterval(timer)
  for (const connection of idle) connection.destroy()
  return all.take()
}

interface Exchange {
  request: GeneratedRequest
  dueAt: number
  counts: boolean
  isOver: boolean
  connection?: ClientConnection
}

const at = (time: number) =>
  new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, time - performance.now())))

function createTally() {
  const latency = createLatencyHistogram()
  let statuses: Record<string, number> = {}
  let [due, failed, otherUser] = [0, 0, 0]
  return {
    addDue: () => void due++,
    add(status: string, isOwn: boolean, latencyUs: number): void {
      latency.record(latencyUs)
      statuses[status] = (statuses[status] ?? 0) + 1
      if (isOwn) return
      failed++
      if (status === '200') otherUser++
    },
    /** Starts again from nothing. */
    take(): Figures {
      const figures = { due, latency: latency.summary(), statuses, failed, otherUser }
      latency.reset()
      statuses = {}
      due = failed = otherUser = 0
      return figures
    },
  }
}
