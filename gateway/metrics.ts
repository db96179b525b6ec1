import type { ErrorCode, Problem } from '../shared/http/errors.ts'
import type { MatchedRoute } from '../shared/http/request-lifecycle.ts'
import { createHistogram } from '../shared/lib/histogram.ts'
import { AssertionRejected } from './http/assertion-rejection.ts'
import { limitClasses } from './limits/limit-classes.ts'
import { type LimitMode, type LimitOutcomeName, limitModes } from './rate-limit/limiter.ts'

/** Unmatched requests share one route: clients choose their paths, so these are unbounded. */
const noRoute: MatchedRoute = { method: 'any', path: 'none' }

/** Seconds; includes 0.1, which alerts use. */
const requestBounds = [0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
const lagBounds = [0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 300]

function createRouteMetrics({ method, path }: MatchedRoute) {
  return { method, path, statuses: new Map<number, number>(), seconds: createHistogram(requestBounds) }
}

type RouteMetrics = ReturnType<typeof createRouteMetrics>

const createLimitMetrics = () =>
  Object.fromEntries(limitModes.map((mode) => [mode, { allowed: 0, refused: 0, reported: 0 }])) as Record<
    LimitMode,
    Record<LimitOutcomeName, number>
  >

type LimitMetrics = ReturnType<typeof createLimitMetrics>

/** Increments a count in a map. */
function countIn<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1)
}

/**
 * Metrics of the gateway in plain numbers; an adapter exposes them. Each function costs a request a
 * few additions. The number of entries is bounded by rows, codes, limits and upstreams.
 */
export function createGatewayMetrics(upstreamNames: readonly string[] = []) {
  const routes = new Map<string, RouteMetrics>()
  /** By row object, so that a request finds its metrics without building a name. */
  const metricsByRow = new WeakMap<MatchedRoute, RouteMetrics>()
  const rejections = new Map<ErrorCode, number>()
  /** By name of the limit. A limit of a policy file is added with its first request. */
  const limits = new Map(limitClasses.map((name): [string, LimitMetrics] => [name, createLimitMetrics()]))
  const tokens = { hit: 0, miss: 0 }
  const apiKeyExchanges = { token: 0, unknown: 0, feature_required: 0, unavailable: 0 }
  const upstreams = new Map<string, ReturnType<typeof createHistogram>>()
  const revocationLag = createHistogram(lagBounds)
  /** By upstream, starting at zero: Prometheus sees no increase in a series that begins at one. */
  const assertionRejections = new Map(upstreamNames.map((name) => [name, 0]))

  /** A row that is read again from a policy file keeps its metrics. */
  function metricsOf(row: MatchedRoute): RouteMetrics {
    const known = metricsByRow.get(row)
    if (known) return known
    const name = `${row.method} ${row.path}`
    const values = routes.get(name) ?? createRouteMetrics(row)
    routes.set(name, values)
    metricsByRow.set(row, values)
    return values
  }

  return {
    /** The current values, read by adapters. */
    values: {
      routes,
      rejections,
      limits,
      tokens,
      apiKeyExchanges,
      upstreams,
      revocationLag,
      assertionRejections,
    } as const,

    /**
     * @param row undefined where none matched
     * @param seconds from the head of the request to the end of the response
     */
    recordResponse(row: MatchedRoute = noRoute, status: number, seconds: number): void {
      const values = metricsOf(row)
      countIn(values.statuses, status)
      values.seconds.add(seconds)
    },

    recordRejection(problem: Problem): void {
      countIn(rejections, problem.code)
      if (problem instanceof AssertionRejected) countIn(assertionRejections, problem.upstream)
    },

    /** For the gateway's own requests. */
    recordAssertionRejection(upstream: string): void {
      countIn(assertionRejections, upstream)
    },

    recordLimitDecision(limit: string, mode: LimitMode, outcome: LimitOutcomeName): void {
      let values = limits.get(limit)
      if (!values) {
        values = createLimitMetrics()
        limits.set(limit, values)
      }
      values[mode][outcome]++
    },

    /** @param isKnown whether its signature was checked before */
    recordTokenLookup(isKnown: boolean): void {
      tokens[isKnown ? 'hit' : 'miss']++
    },

    /** @param outcome `token` where the key was exchanged for one */
    recordApiKeyExchange(outcome: keyof typeof apiKeyExchanges): void {
      apiKeyExchanges[outcome]++
    },

    /** @param seconds from the request upstream to the head of its response */
    recordUpstreamResponse(upstream: string, seconds: number): void {
      let histogram = upstreams.get(upstream)
      if (!histogram) {
        histogram = createHistogram(requestBounds)
        upstreams.set(upstream, histogram)
      }
      histogram.add(seconds)
    },

    /** @param seconds from the cause of the newest entry to its arrival here */
    recordRevocationLag(seconds: number): void {
      revocationLag.add(seconds)
    },
  }
}

export type GatewayMetrics = ReturnType<typeof createGatewayMetrics>
