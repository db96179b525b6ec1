import { closedLoop } from '../../common/load.ts'
import { familyProcessorMs, ownProcessorMs } from '../../common/processor-time.ts'
import { figure, type Report, spread } from '../../common/report.ts'
import { median } from '../../common/statistics.ts'

interface CompareOptions {
  /** Of the part, for the raw rows. */
  part: string
  /** The forms to compare, each doing the same work; every round calls them in turn. */
  forms: Record<string, () => Promise<unknown>>
  /** Name of one call, for the table. */
  unit: string
  clientCounts: readonly number[]
  rounds: number
  roundMs: number
  /** A round never does more, so that a machine of any speed does a bounded amount of work. */
  maxCount: number
  postgresPid: number
  report: Report
}

type Row = Record<'perSecond' | 'originMs' | 'postgresMs', number>

/**
 * Measures several forms of one thing in interleaved rounds, in this process, which is then the
 * origin, and tables their medians.
 */
export async function compareForms(options: CompareOptions): Promise<void> {
  const { part, forms, unit, clientCounts, rounds, roundMs, maxCount, postgresPid, report } = options
  const measured = new Map<string, Row[]>()

  async function takeRound(clients: number, form: () => Promise<unknown>): Promise<Row & { done: number }> {
    const before = { origin: ownProcessorMs(), postgres: familyProcessorMs(postgresPid) }
    const { done, elapsedMs } = await closedLoop({ clients, count: maxCount, maxMs: roundMs }, form)
    return {
      done,
      perSecond: (done * 1000) / elapsedMs,
      originMs: (ownProcessorMs() - before.origin) / done,
      postgresMs: (familyProcessorMs(postgresPid) - before.postgres) / done,
    }
  }

  for (const clients of clientCounts) {
    for (let round = 0; round <= rounds; round++) {
      for (const [name, form] of Object.entries(forms)) {
        const row = await takeRound(clients, form)
        // The first round opens connections and prepares statements.
        if (round === 0) continue
        report.raw({ part, form: name, clients, round, ...row })
        const key = `${name} ${clients}`
        measured.set(key, [...(measured.get(key) ?? []), row])
      }
    }
  }

  report.table([
    ['form', 'clients', `${unit}s/s`, 'origin µs', 'Postgres µs', 'both µs'],
    ...clientCounts.flatMap((clients) =>
      Object.keys(forms).map((name) => {
        const rows = measured.get(`${name} ${clients}`) ?? []
        const rates = rows.map(({ perSecond }) => perSecond)
        const originUs = median(rows.map(({ originMs }) => originMs * 1000))
        const postgresUs = median(rows.map(({ postgresMs }) => postgresMs * 1000))
        return [
          name,
          clients,
          spread(Math.min(...rates), median(rates), Math.max(...rates)),
          figure(originUs),
          figure(postgresUs),
          figure(originUs + postgresUs),
        ]
      }),
    ),
  ])
}
