import { type CellLimits, type Load, loadOf, type Population } from './load-model.ts'
import type { Comparison } from './ten-minute-run.ts'
import type { UnitCosts } from './unit-costs.ts'

export const whole = (value: number) => Math.round(value).toLocaleString('en-US')
export const short = (value: number) => (value >= 10 ? whole(value) : value.toFixed(1))

const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

export function formatBytes(bytes: number): string {
  let [value, unit] = [bytes, 0]
  while (value >= 1000 && unit < units.length - 1) [value, unit] = [value / 1000, unit + 1]
  return `${short(value)} ${units[unit]}`
}

const limitNames: Record<keyof CellLimits, string> = {
  postgresCores: 'cores',
  storedBytes: 'disk',
  walBytesPerSecond: 'WAL',
  users: 'accounts',
}

const rows: [string, (load: Load) => string][] = [
  ['requests/s', (load) => whole(load.requestsPerSecond)],
  ['gateways of one core', (load) => whole(load.gateways)],
  ['memory of each gateway', (load) => formatBytes(load.gatewayBytes)],
  ['Redis round trips/s', (load) => whole(load.redisRoundTripsPerSecond)],
  ['Redis masters of one core', (load) => whole(load.redisServers)],
  ['Redis memory', (load) => formatBytes(load.redisBytes)],
  ['revocation stream/s, to all gateways', (load) => formatBytes(load.streamBytesPerSecond)],
  ['logins/s, refreshes/s', (load) => `${short(load.loginsPerSecond)}, ${whole(load.refreshesPerSecond)}`],
  ['origin cores for logins', (load) => short(load.hashingCores)],
  ['origin cores for refreshes', (load) => short(load.refreshCores)],
  ['origin cores for profiles', (load) => short(load.profileCores)],
  ['origins of four cores', (load) => whole(load.origins)],
  ['connections, at most', (load) => whole(load.connections)],
  ['PostgreSQL statements/s', (load) => whole(load.statementsPerSecond)],
  ['of these, commits that write', (load) => whole(load.commitsPerSecond)],
  ['PostgreSQL cores', (load) => short(load.postgresCores)],
  ['WAL/s', ({ walBytesPerSecond: { least, most } }) => `${formatBytes(least)} to ${formatBytes(most)}`],
  ['rows', (load) => `${whole(load.rows / 1e6)} M`],
  ['disk', (load) => formatBytes(load.storedBytes)],
  ['cells', (load) => whole(load.cells)],
  ['so many for', (load) => load.boundBy.map((name) => limitNames[name]).join(', ') || '-'],
]

export const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`

/** A column for each population. */
export function describeLoads(populations: readonly Population[], costs: UnitCosts): string {
  const loads = populations.map((population) => loadOf(population, costs))
  return [
    line(['accounts', ...populations.map(({ users }) => whole(users))]),
    line(['---', ...populations.map(() => '---')]),
    ...rows.map(([name, format]) => line([name, ...loads.map(format)])),
  ].join('\n')
}

export function describeComparison({ requestsPerSecond: requests, bytes }: Comparison): string {
  const { least, most } = bytes.measured
  return [
    line(['ten minutes, one gateway', 'model', 'measured']),
    line(['---', '---', '---']),
    line(['requests/s', `${whole(requests.least)} to ${whole(requests.most)}`, whole(requests.measured)]),
    line(['memory', formatBytes(bytes.modelled), `${formatBytes(least)} to ${formatBytes(most)}`]),
  ].join('\n')
}
