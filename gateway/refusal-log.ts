import type { RefusalsBody } from '../shared/contract.ts'
import type { Log } from '../shared/log.ts'
import type { Limit } from './limits.ts'

/** Gathered at most, and told at most in one post: what an attack from many addresses may cost in memory. */
const largestBatch = 1000

/** From the first refusal of a batch to its post. */
const flushSeconds = 10

interface RefusalLogOptions {
  /** Tells the origin. Gives up by itself. */
  post: (batch: RefusalsBody) => Promise<unknown>
  log: Log
}

/** What was refused; `route` is the path of its row. */
interface RefusedRequest {
  limits: readonly Limit[]
  method: string
  route: string
}

/**
 * Gathers the requests that a limit refused, for the origin to keep: counted by limit, key, method and route, told in batches, so that
 * no refusal waits for a write or causes one.
 *
 * A batch that could not be told is dropped and counted: it may have been kept all the same, and told again it would count twice.
 */
export function createRefusalLog({ post, log }: RefusalLogOptions) {
  type Refusal = RefusalsBody['refusals'][number]
  let gathered = new Map<string, Refusal>()
  /** Refusals that nobody was told of. */
  let dropped = 0
  /** The same since the start, those told of as dropped among them. */
  let untold = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let underway: Promise<void> | undefined

  function note({ limits, method, route }: RefusedRequest): void {
    for (const { name, key } of limits) {
      const id = `${name} ${method} ${route} ${key}`
      const known = gathered.get(id)
      if (known) known.count++
      else if (gathered.size < largestBatch) gathered.set(id, { class: name, key, method, route, count: 1 })
      else {
        dropped++
        untold++
      }
    }
    schedule()
  }

  /** One timer or one post, never a second of either. */
  function schedule(): void {
    if (timer !== undefined || underway) return
    timer = setTimeout(() => void flush(), flushSeconds * 1000)
  }

  async function tell(batch: RefusalsBody): Promise<void> {
    try {
      await post(batch)
      if (batch.dropped > 0) log.warn({ dropped: batch.dropped }, 'refusals dropped from the log')
    } catch (err) {
      const lost = batch.refusals.reduce((sum, { count }) => sum + count, 0)
      dropped += batch.dropped + lost
      untold += lost
      log.warn({ err, dropped }, 'refusals dropped from the log: the origin could not be told')
    }
  }

  /** Tells what was gathered; a post under way is waited for instead. */
  async function flush(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    if (underway) return underway
    if (gathered.size === 0) return
    const batch = { dropped, refusals: [...gathered.values()] }
    gathered = new Map()
    dropped = 0
    underway = tell(batch)
    await underway
    underway = undefined
    if (gathered.size > 0) schedule()
  }

  return {
    note,
    flush,
    /** Refusals that nobody was told of, since the start. */
    untold: () => untold,
    /** Tells what is left. */
    async close(): Promise<void> {
      await underway
      await flush()
      clearTimeout(timer)
    },
  }
}

export type RefusalLog = ReturnType<typeof createRefusalLog>
