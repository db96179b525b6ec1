import { readFileSync } from 'node:fs'
import { totalmem } from 'node:os'
import { collectDefaultMetrics, Gauge, type Registry } from 'prom-client'

const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8')) as {
  version: string
}

/**
 * Metrics of every process: CPU, memory, garbage collection, event loop delay, build. Call once per
 * process, as it registers runtime observers.
 */
export function collectProcessMetrics(registry: Registry, service: string): void {
  collectDefaultMetrics({ register: registry })

  new Gauge({
    name: 'gatehouse_build_info',
    help: 'Always 1; the labels say which service and version this is, on which Node.',
    labelNames: ['service', 'version', 'node'],
    registers: [registry],
    aggregator: 'first',
  }).set({ service, version, node: process.versions.node }, 1)

  new Gauge({
    name: 'gatehouse_memory_limit_bytes',
    help: 'Memory this process may have: that of its container, or of the machine where it has none of its own.',
    registers: [registry],
    aggregator: 'max',
  }).set(memoryLimitBytes())
}

/** State of the process for health responses. Bytes and seconds. */
export function processState() {
  const { rss, heapUsed } = process.memoryUsage()
  return {
    memory: { rss_bytes: rss, heap_used_bytes: heapUsed, limit_bytes: memoryLimitBytes() },
    uptime_seconds: Math.round(process.uptime()),
  }
}

/** A container without a limit reports none, or more than there is. */
function memoryLimitBytes(): number {
  const constrained = process.constrainedMemory() || Number.POSITIVE_INFINITY
  return Math.min(constrained, totalmem())
}
