import { type Kind, kinds, shareOf } from '../client/mix.ts'

/**
 * Cost of one request of a kind, by part: microseconds of processor time, and calls of the stores.
 */
export interface Cost {
  gateway: number
  origin: number
  postgres: number
  redis: number
  statements: number
  roundTrips: number
}

export type Costs = Record<Kind, Cost>

export const costNames: readonly (keyof Cost)[] = [
  'gateway',
  'origin',
  'postgres',
  'redis',
  'statements',
  'roundTrips',
]

/** A request of the mix, on average. */
export function averageCost(costs: Costs): Cost {
  const average = (name: keyof Cost) =>
    kinds.reduce((sum, kind) => sum + shareOf(kind) * costs[kind][name], 0)
  return Object.fromEntries(costNames.map((name) => [name, average(name)])) as unknown as Cost
}

const figure = (value: number) =>
  value >= 100 ? Math.round(value).toLocaleString('en-US') : value >= 10 ? value.toFixed(1) : value.toFixed(2)

const row = (cells: readonly (string | number)[]) => `| ${cells.join(' | ')} |`

const titles: Record<keyof Cost, string> = {
  gateway: 'gateway, us',
  origin: 'origin, us',
  postgres: 'PostgreSQL, us',
  redis: 'Redis, us',
  statements: 'SQL statements',
  roundTrips: 'Redis round trips',
}

/** The table of k6/README.md, which docs/capacity.md reads. */
export function describeCosts(costs: Costs): string {
  const average = averageCost(costs)
  return [
    row(['for one request', ...kinds, 'of the mix']),
    row(['---', ...kinds.map(() => '---'), '---']),
    ...costNames.map((name) =>
      row([titles[name], ...kinds.map((kind) => figure(costs[kind][name])), figure(average[name])]),
    ),
  ].join('\n')
}
