import { Registry } from 'prom-client'
import { exposeMetrics } from '../../gateway/adapters/node/telemetry/expose-metrics.ts'
import { createGatewayMetrics } from '../../gateway/metrics.ts'
import { routes } from '../../gateway/routes.ts'
import { beginTrace } from '../../shared/http/tracing.ts'
import { ownProcessorMs } from '../common/processor-time.ts'
import { median } from '../common/statistics.ts'

/**
 * `npm run bench:monitoring`: the processor time that being watched costs the gateway, a request
 * and a scrape.
 */

const requests = 3_000_000
const scrapes = 200
const rounds = 7

/** Microseconds of processor time for one of many. */
function cost(times: number, work: (number: number) => void): number {
  const samples = Array.from({ length: rounds }, () => {
    const before = ownProcessorMs()
    for (let number = 0; number < times; number++) work(number)
    return ((ownProcessorMs() - before) * 1000) / times
  })
  return median(samples)
}

const metrics = createGatewayMetrics()
const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

/** The work that metrics add to a proxied request of a signed-in user in the Node adapter. */
function countOne(number: number): void {
  metrics.recordTokenLookup(true)
  metrics.recordLimitDecision('user', 'shared', 'allowed')
  const sentAt = performance.now()
  metrics.recordUpstreamResponse('origin', (performance.now() - sentAt) / 1000)
  metrics.recordResponse(routes[number % routes.length], 200, 0.004)
}

const print = (what: string, figure: string) => process.stdout.write(`${what.padEnd(64)} ${figure}\n`)
const micro = (value: number) => `${value.toFixed(3)} us`

const request = { method: 'GET', requestId: 'x' }
print('counting one proxied request', micro(cost(requests, countOne)))
print('a request without a traceparent', micro(cost(requests, () => beginTrace(undefined, request))))
print('a request with one', micro(cost(requests, () => beginTrace(undefined, { ...request, traceparent }))))

const registry = new Registry()
exposeMetrics({
  registry,
  values: metrics.values,
  gauges: {
    keySetAgeSeconds: () => 1,
    tokensRemembered: () => 1,
    revocationEntries: () => 1,
    requestsInProgress: new Map([['origin', 1]]),
    rejectionsUnreported: () => 0,
  },
  revocationState: { source: 'stream', lagMs: 1, contactAt: 0 },
  redis: undefined,
  connections: async () => 1,
  now: Date.now,
})
const before = ownProcessorMs()
let bytes = 0
for (let scrape = 0; scrape < scrapes; scrape++) bytes = (await registry.metrics()).length
const scrapeMs = (ownProcessorMs() - before) / scrapes
print(
  `a scrape, every route asked (${routes.length} rows, ${Math.round(bytes / 1024)} kB)`,
  `${scrapeMs.toFixed(1)} ms`,
)
