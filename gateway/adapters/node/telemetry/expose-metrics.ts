import type { Registry } from 'prom-client'
import type { Histogram } from '../../../../shared/lib/histogram.ts'
import type { Now } from '../../../../shared/lib/time.ts'
import type { GatewayMetrics } from '../../../metrics.ts'
import type { RevocationSyncState } from '../../../revocation/revocation-sync.ts'
import { exposeCounter, exposeGauge, exposeHistogram } from './exposition.ts'

interface ExposeOptions {
  registry: Registry
  values: GatewayMetrics['values']
  gauges: {
    keySetAgeSeconds: () => number
    tokensRemembered: () => number
    revocationEntries: () => number
    requestsInProgress: ReadonlyMap<string, number>
    rejectionsUnreported: () => number
  }
  revocationState: Readonly<RevocationSyncState>
  redis: { isUp: () => boolean; callSeconds: Histogram } | undefined
  /** Open client connections, where the runtime counts them. */
  connections: (() => Promise<number>) | undefined
  now: Now
}

/**
 * Registers the gateway's metrics, which are read at each scrape.
 */
export function exposeMetrics(options: ExposeOptions): void {
  const { registry, values, gauges, revocationState, redis, connections, now } = options
  const {
    routes,
    rejections,
    limits,
    tokens,
    apiKeyExchanges,
    upstreams,
    revocationLag,
    assertionRejections,
  } = values
  const named = <Label extends string>(name: string, help: string, ...labels: Label[]) => ({
    name: `gatehouse_gateway_${name}`,
    help,
    labels,
  })
  const gauge = (
    name: string,
    help: string,
    read: () => number | Promise<number>,
    aggregator: 'sum' | 'min' | 'max' = 'sum',
  ) => exposeGauge(registry, { ...named(name, help), aggregator }, async () => [[{}, await read()]])

  exposeCounter(
    registry,
    named('http_requests_total', 'Requests answered.', 'method', 'route', 'status'),
    () =>
      [...routes.values()].flatMap(({ method, path: route, statuses }) =>
        [...statuses].map(([status, count]) => [{ method, route, status }, count] as const),
      ),
  )
  exposeHistogram(
    registry,
    named('http_request_duration_seconds', 'From the head of a request to the end of its response.'),
    () =>
      [...routes.values()].map(({ method, path: route, seconds }) => [{ method, route }, seconds] as const),
  )
  exposeCounter(
    registry,
    named('refusals_total', 'Requests refused or failed, by problem code.', 'code'),
    () => [...rejections].map(([code, count]) => [{ code }, count] as const),
  )
  exposeCounter(
    registry,
    named(
      'limit_decisions_total',
      'Limits held against requests, by how it was decided.',
      'class',
      'mode',
      'outcome',
    ),
    () =>
      [...limits].flatMap(([name, modes]) =>
        Object.entries(modes).flatMap(([mode, { allowed, refused, reported }]) => [
          [{ class: name, mode, outcome: 'allowed' }, allowed] as const,
          [{ class: name, mode, outcome: 'refused' }, refused] as const,
          // Built-in limits have no such outcome.
          ...(reported > 0 ? [[{ class: name, mode, outcome: 'reported' }, reported] as const] : []),
        ]),
      ),
  )
  exposeCounter(
    registry,
    named(
      'token_lookups_total',
      'Tokens that came: hit where their signature was checked before.',
      'outcome',
    ),
    () => Object.entries(tokens).map(([outcome, count]) => [{ outcome }, count] as const),
  )
  exposeCounter(
    registry,
    named('api_key_exchanges_total', 'Exchanges of API keys for access tokens at the origin.', 'outcome'),
    () => Object.entries(apiKeyExchanges).map(([outcome, count]) => [{ outcome }, count] as const),
  )
  gauge('tokens_remembered', 'Tokens whose signature need not be checked again.', gauges.tokensRemembered)
  gauge('key_set_age_seconds', 'Since when the keys of the origin were read.', gauges.keySetAgeSeconds, 'max')

  exposeHistogram(
    registry,
    named('revocation_lag_seconds', 'From the cause of a revocation to its being known here.'),
    () => [[{}, revocationLag]],
  )
  gauge(
    'revocation_contact_age_seconds',
    'Since when a source of revocations answered.',
    () =>
      revocationState.contactAt === undefined
        ? Number.POSITIVE_INFINITY
        : (now() - revocationState.contactAt) / 1000,
    'max',
  )
  exposeGauge(
    registry,
    {
      ...named(
        'revocation_source',
        '1 for the source that revocations come from: stream in Redis, or feed.',
        'source',
      ),
      aggregator: 'max',
    },
    () =>
      (['stream', 'feed'] as const).map(
        (source) => [{ source }, revocationState.source === source ? 1 : 0] as const,
      ),
  )
  gauge('revocation_entries', 'Revocations held in memory.', gauges.revocationEntries, 'max')

  exposeHistogram(
    registry,
    named('upstream_duration_seconds', 'From a request upstream to the head of its response.', 'upstream'),
    () => [...upstreams].map(([upstream, seconds]) => [{ upstream }, seconds] as const),
  )
  exposeGauge(
    registry,
    named('requests_under_way', 'Requests that were let in and are not answered in full.', 'upstream'),
    () => [...gauges.requestsInProgress].map(([upstream, count]) => [{ upstream }, count] as const),
  )
  exposeCounter(
    registry,
    named(
      'assertions_refused_total',
      'Requests upstream, those of the gateway itself among them, whose assertion was refused.',
      'upstream',
    ),
    () => [...assertionRejections].map(([upstream, count]) => [{ upstream }, count] as const),
  )
  if (connections) gauge('connections_open', 'Connections of clients.', connections)
  exposeCounter(
    registry,
    named('refusals_untold_total', 'Requests over a limit that are missing in the log of them.'),
    () => [[{}, gauges.rejectionsUnreported()]],
  )

  if (redis) {
    gauge(
      'redis_up',
      '1 where limits are counted in Redis, at every node of a cluster.',
      () => (redis.isUp() ? 1 : 0),
      'min',
    )
    exposeHistogram(
      registry,
      named('redis_call_duration_seconds', 'Calls that count limits in Redis, those that failed among them.'),
      () => [[{}, redis.callSeconds]],
    )
  }
}
