import { ConfigError, readConfig, type VariableName } from '../../../shared/config.ts'
import { parseRedisUrl } from '../../../shared/redis-url.ts'
import type { GatewayConfig } from '../../config.ts'
import { gatewayVariables } from '../../config.ts'

const platformListens = 'is for a process that listens: the platform does that here'
const noMetrics = 'is for a process that can be asked for its metrics: nobody can address one of many Workers'

/** Variables that this runtime cannot honour, and why (table in docs/runtimes.md). */
const unavailable: Partial<Record<VariableName, string>> = {
  HOST: platformListens,
  GATEWAY_PORT: platformListens,
  DRAIN_SECONDS: platformListens,
  DRAIN_DELAY_SECONDS: platformListens,
  CLIENT_STALL_SECONDS: platformListens,
  GATEWAY_FAST_PATH: platformListens,
  GATEWAY_PROCESSES: platformListens,
  METRICS_HOST: noMetrics,
  GATEWAY_METRICS_PORT: noMetrics,
  POLICY_FILE: 'names a file, and there is no disk here: import it into the Worker (docs/runtimes.md)',
  GATEWAY_PAGES: 'names pages, which are files, and there is no disk here',
  REVOCATION_REDIS_URL:
    'names a second Redis: a Worker counts and reads revocations in one round trip, to REDIS_URL',
  UPSTREAM_CONNECTION_SECONDS: 'is the age of connections to upstreams, and the platform keeps those itself',
  UPSTREAM_REQUESTS: 'counts requests under way, and here they may end without a word',
}

/**
 * The configuration of a Worker: its variables and secrets.
 *
 * @param env bindings of the Worker; those that are not strings are ignored
 * @throws ConfigError naming each variable that is missing, malformed, unknown or unsupported, and
 * why
 */
export function readWorkerConfig(env: Record<string, unknown>): GatewayConfig {
  const variables = Object.fromEntries(
    Object.entries(env).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  )
  const reasons: string[] = []
  for (const [name, reason] of Object.entries(unavailable))
    if (variables[name] !== undefined) reasons.push(`${name} ${reason}`)
  if (!variables.REDIS_URL)
    reasons.push('REDIS_URL is missing: what a Worker counts by itself is a part that nobody knows')
  try {
    const config = readConfig(gatewayVariables, variables)
    if (config.REDIS_URL) reasons.push(...reasonsAgainstRedis(config.REDIS_URL))
    if (reasons.length > 0) throw new ConfigError(reasons)
    return { ...config, UPSTREAM_REQUESTS: Number.POSITIVE_INFINITY }
  } catch (error) {
    if (error instanceof ConfigError && error.reasons !== reasons)
      throw new ConfigError([...reasons, ...error.reasons])
    throw error
  }
}

function reasonsAgainstRedis(url: string): string[] {
  const { mode, caFile, certFile } = parseRedisUrl(url)
  if (mode !== 'single')
    return [
      'REDIS_URL names a cluster or Sentinels: a Worker asks one server, in one round trip for each request',
    ]
  return (caFile ?? certFile) ? ['REDIS_URL names files, and there is no disk here'] : []
}
