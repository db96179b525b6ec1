import type { HealthCheck, HealthResponse, HealthStatus } from '../../../../shared/http/health.ts'
import { processState } from '../../../../shared/node/telemetry/process-metrics.ts'
import type { ProcessEntry, ProcessTable } from './process-table.ts'

/** Full health of one process, as it reports it on a metrics port of its own. */
export type ProcessHealth = HealthResponse & ReturnType<typeof processState> & { connections: number }

/** A process that serves, and its health; undefined where it does not answer in time. */
interface Reported {
  entry: Readonly<ProcessEntry>
  health: ProcessHealth | undefined
}

/** All processes that serve, at one moment. */
interface Group {
  hasStarted: boolean
  reported: readonly Reported[]
}

/** Every process may be asked for the health of all, so it is read once a second. */
const reuseMs = 1000

const severity: readonly HealthStatus[] = ['pass', 'warn', 'fail']

const worst = (statuses: readonly HealthStatus[]): HealthStatus =>
  severity[Math.max(0, ...statuses.map((status) => severity.indexOf(status)))] as HealthStatus

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

/** The check that each process adds to its own. */
function describeGroup({ reported, hasStarted }: Group, count: number): HealthCheck {
  const silent = reported.filter(({ health }) => !health).map(({ entry }) => entry.number)
  const detail = [
    `${reported.length} of ${count} serve`,
    ...(silent.length > 0 ? [`no answer from ${silent.join(', ')}`] : []),
  ].join('; ')
  if (!hasStarted) return { status: 'fail', detail }
  // Connections go on to a process that is silent or not ready, and none to one that has ended.
  const status = worst([
    ...reported.map(({ health }) => health?.status ?? 'fail'),
    reported.length < count ? 'warn' : 'pass',
  ])
  return { status, detail }
}

/** The worst of each check over all processes. */
function mergeChecks(reported: readonly Reported[]): Record<string, HealthCheck> {
  const merged: Record<string, HealthCheck> = {}
  for (const { health } of reported)
    for (const [name, check] of Object.entries(health?.checks ?? {})) {
      const known = merged[name]
      if (!known || severity.indexOf(check.status) > severity.indexOf(known.status)) merged[name] = check
    }
  return merged
}

/** Health of several processes as that of one gateway. */
export function createGroupHealth({ entries, hasStarted }: Pick<ProcessTable, 'entries' | 'hasStarted'>) {
  let readAt = Number.NEGATIVE_INFINITY
  let reading: Promise<Group> = Promise.resolve({ hasStarted: false, reported: [] })

  async function readAll(): Promise<Group> {
    const group = { hasStarted: hasStarted() }
    const serving = entries.filter(({ servesSinceMs }) => servesSinceMs !== undefined)
    const reported = serving.map(async (entry) => ({
      entry,
      health: await entry.ask?.<ProcessHealth>('health').catch(() => undefined),
    }))
    return { ...group, reported: await Promise.all(reported) }
  }

  function read(): Promise<Group> {
    if (performance.now() - readAt < reuseMs) return reading
    readAt = performance.now()
    reading = readAll()
    return reading
  }

  return {
    check: async (): Promise<HealthCheck> => describeGroup(await read(), entries.length),

    /** Checks and state, for the metrics port. */
    async describe() {
      const group = await read()
      const { reported } = group
      const answered = reported.flatMap(({ health }) => health ?? [])
      const { memory, uptime_seconds } = processState()
      return {
        checks: {
          ...mergeChecks(reported),
          processes: describeGroup(group, entries.length),
        },
        state: {
          connections: sum(answered.map(({ connections }) => connections)),
          memory: {
            ...memory,
            rss_bytes: memory.rss_bytes + sum(answered.map((each) => each.memory.rss_bytes)),
            heap_used_bytes:
              memory.heap_used_bytes + sum(answered.map((each) => each.memory.heap_used_bytes)),
          },
          uptime_seconds,
          processes: entries.map(({ number, pid, restarts }) => {
            const health = reported.find(({ entry }) => entry.number === number)?.health
            return {
              process: number,
              pid,
              restarts,
              status: health?.status ?? 'fail',
              connections: health?.connections,
              rss_bytes: health?.memory.rss_bytes,
              uptime_seconds: health?.uptime_seconds,
            }
          }),
        },
      }
    },
  }
}
