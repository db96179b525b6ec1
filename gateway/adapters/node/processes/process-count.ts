import { availableParallelism } from 'node:os'
import { ConfigError } from '../../../../shared/config.ts'
import { closeMs } from '../../../../shared/node/run-service.ts'
import type { GatewayConfig } from '../../../config.ts'

/**
 * Processes that the configuration asks for. `max` is one for each core that this process may use:
 * its CPU affinity, and in a container the CPU quota, rounded down.
 */
export const processCount = ({ GATEWAY_PROCESSES }: Pick<GatewayConfig, 'GATEWAY_PROCESSES'>): number =>
  GATEWAY_PROCESSES === 'max' ? availableParallelism() : GATEWAY_PROCESSES

/**
 * Several processes would each allow a part of a quota that depends on which connection a request
 * came by, where nobody expects it.
 *
 * @throws ConfigError for several processes without Redis
 */
export function requireSharedLimits(config: Pick<GatewayConfig, 'GATEWAY_PROCESSES' | 'REDIS_URL'>): void {
  if (processCount(config) > 1 && config.REDIS_URL === undefined)
    throw new ConfigError([
      'GATEWAY_PROCESSES needs REDIS_URL: several processes count limits together only there',
    ])
}

/** Beyond what a process takes by itself to drain and to close. */
const stopMarginMs = 1000

/** Time in which a process that was told to stop has ended. */
export const stopMs = (config: Pick<GatewayConfig, 'DRAIN_DELAY_SECONDS' | 'DRAIN_SECONDS'>): number =>
  (config.DRAIN_DELAY_SECONDS + config.DRAIN_SECONDS) * 1000 + closeMs + stopMarginMs

/** The configuration of one of several processes: quotas are for all of them together. */
export function shareConfig<Config extends Pick<GatewayConfig, 'GATEWAY_REPLICAS' | 'UPSTREAM_REQUESTS'>>(
  config: Config,
  count: number,
): Config {
  return {
    ...config,
    GATEWAY_REPLICAS: config.GATEWAY_REPLICAS * count,
    UPSTREAM_REQUESTS: Math.ceil(config.UPSTREAM_REQUESTS / count),
  }
}
