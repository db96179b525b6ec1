import { variables } from '../../shared/config.ts'

/**
 * Seconds of every timeout around a task, derived from the drain settings of the services. A test
 * holds the order of them.
 */

const drainDelay = variables.DRAIN_DELAY_SECONDS.parse(undefined)
const drain = variables.DRAIN_SECONDS.parse(undefined)

export const times = {
  drainDelay,
  drain,
  /** From SIGTERM to SIGKILL: longer than a service drains. Fargate allows 120. */
  stop: drainDelay + drain + 5,
  /** The balancer leaves requests under way alone for as long as a gateway would. */
  deregistration: drainDelay + drain,
  /** Below the idle time of the gateway: the balancer never writes to a closing connection. */
  balancerIdle: 60,
  /** Two failures in a row: a gateway that is not ready gets no requests after 10 s. */
  health: { interval: 5, timeout: 4, healthy: 2, unhealthy: 2 },
  /** Until a new task must be ready: image, start, first contact with database and Redis. */
  start: 60,
}

export const ports = {
  gateway: 8080,
  gatewayMetrics: 9080,
  origin: 8081,
  originMetrics: 9081,
  otlp: 4318,
  postgres: 5432,
  redis: 6379,
  /** SES takes TLS from the first byte there. */
  mail: 465,
  /** Where the smoke test meets new gateways before anybody else does. */
  testListener: 8443,
}

/** The balancer appends to X-Forwarded-For, and nothing else stands in front. */
export const trustedProxyHops = 1
