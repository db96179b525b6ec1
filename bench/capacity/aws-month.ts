import { line, whole } from './describe-load.ts'
import { type Load, loadOf, type Population } from './load-model.ts'
import { monthOf } from './month.ts'
import type { UnitCosts } from './unit-costs.ts'

/**
 * The cost of a month of the CDK app of deploy/aws, which has more than the load needs: standbys,
 * three origins at least, two zones of endpoints and NAT, logs, metrics, keys. Prices are assumed,
 * not measured: list prices of AWS on demand, us-east-1, 2026, in dollars.
 */
const prices = {
  natGatewayHour: 0.045,
  endpointZoneHour: 0.01,
  publicAddressHour: 0.005,
  /** A custom metric, an alarm, a dashboard. */
  metric: 0.3,
  alarm: 0.1,
  dashboard: 3,
  secret: 0.4,
  key: 1,
  firewall: { acl: 5, rule: 1, millionRequests: 0.6 },
  /** For each GB written, not kept. */
  logGb: 0.5,
  /** A capacity unit of the balancer for an hour: 25 new connections/s, or 1 GB an hour. */
  balancerUnitHour: 0.008,
}
const hoursPerMonth = 730

/** The shape of installations/example.yaml. */
const shape = { zones: 2, natGateways: 2, endpoints: 6, alarms: 14, metrics: 40, secrets: 6, rules: 4 }

/** Bytes of one response with its head, and of a log line of an origin's request. */
const responseBytes = 1000
const logLineBytes = 400

/** The busiest hour lasts so long each day, and the rest has none of it. */
const busyHoursPerDay = 8
const busySecondsPerMonth = busyHoursPerDay * 3600 * 30

export interface AwsRow {
  name: string
  dollars: number
}

export function awsRowsOf(load: Load): AwsRow[] {
  const base = monthOf(load)
  const originsNow = base.rows.find(({ name }) => name === 'origins')?.dollars ?? 0
  const task = (base.rows.find(({ name }) => name === 'gateways')?.dollars ?? 0) / load.gateways
  const network =
    shape.natGateways * (prices.natGatewayHour + prices.publicAddressHour) +
    shape.zones * (shape.endpoints * prices.endpointZoneHour + prices.publicAddressHour)
  const requests = load.requestsPerSecond * busySecondsPerMonth
  const gbPerHour = (load.requestsPerSecond * responseBytes * 3600) / 1e9
  // Gateways log no request that succeeds; origins log each of theirs.
  const originRequests = requests * 0.05
  return [
    { name: 'tasks, databases, caches and balancer, with standbys', dollars: base.withStandbys },
    { name: 'a third origin', dollars: Math.max(0, 3 * task - originsNow) },
    { name: 'NAT, endpoints, addresses', dollars: network * hoursPerMonth },
    {
      name: 'capacity units of the balancer',
      dollars: gbPerHour * prices.balancerUnitHour * busyHoursPerDay * 30,
    },
    {
      name: 'metrics, alarms, dashboard, keys, secrets',
      dollars:
        shape.metrics * prices.metric +
        shape.alarms * prices.alarm +
        prices.dashboard +
        prices.key +
        shape.secrets * prices.secret,
    },
    { name: 'logs', dollars: ((originRequests * logLineBytes) / 1e9) * prices.logGb },
  ]
}

/** The firewall bills each request, so it stands apart. */
export const firewallDollars = (load: Load): number =>
  prices.firewall.acl +
  shape.rules * prices.firewall.rule +
  ((load.requestsPerSecond * busySecondsPerMonth) / 1e6) * prices.firewall.millionRequests

/** A column for each population. */
export function describeAwsMonths(populations: readonly Population[], costs: UnitCosts): string {
  const columns = populations.map((population) => {
    const load = loadOf(population, costs)
    return { rows: awsRowsOf(load), firewall: firewallDollars(load) }
  })
  const sum = (rows: readonly AwsRow[]) => rows.reduce((total, { dollars }) => total + dollars, 0)
  const dollars = (value: number) => `$${whole(value)}`
  return [
    line(['a month, accounts (one in ten at work at once)', ...populations.map(({ users }) => whole(users))]),
    line(['---', ...populations.map(() => '---')]),
    ...(columns[0]?.rows ?? []).map(({ name }, index) =>
      line([name, ...columns.map(({ rows }) => dollars(rows[index]?.dollars ?? 0))]),
    ),
    line(['all', ...columns.map(({ rows }) => dollars(sum(rows)))]),
    line(['the firewall, where it is on', ...columns.map(({ firewall }) => dollars(firewall))]),
    line([
      'the system before, as planned for 100,000 (its larger plan)',
      ...populations.map(({ users }) => (users === 100_000 ? '$267 ($3,117)' : '-')),
    ]),
  ].join('\n')
}
