import { setTimeout as sleep } from 'node:timers/promises'
import { type Config, ConfigError, type VariableName } from '../config.ts'
import type { BeginSpan } from '../http/tracing.ts'
import type { Log } from '../lib/log.ts'
import { withTimeout } from '../lib/with-timeout.ts'
import { configFromEnvironment, exitUnconfigured } from './environment.ts'
import { exitUnlistenable } from './http/listen-error.ts'
import { createLog } from './log.ts'
import type { ServiceServer } from './service-server.ts'
import { loadTracing } from './telemetry/tracing.ts'

/** Variables of every service. */
const commonVariables = ['HOST', 'LOG_LEVEL', 'DRAIN_SECONDS', 'DRAIN_DELAY_SECONDS'] as const

type CommonVariable = (typeof commonVariables)[number]
type PortVariable = 'GATEWAY_PORT' | 'ORIGIN_PORT' | 'REPORTS_PORT'

/**
 * For closing pools, whose servers may be gone. With the default drain it fits into the 40 s that
 * the manifests give a process.
 */
export const closeMs = 8000

/** Values that the process passes to its service. */
export interface ServiceProcess<Name extends VariableName> {
  config: Config<Name>
  log: Log
  /** Begins a span for each request, where spans are collected. */
  beginSpan: BeginSpan | undefined
  /** Whether a stop signal has come: readiness is off from then on. */
  isStopping: () => boolean
}

interface ServiceOptions<Name extends VariableName> {
  name: string
  variables: readonly Name[]
  portVariable: PortVariable
  /** @throws ConfigError for what one variable demands of another */
  requireUsable?: (config: Config<Name>) => void
  /**
   * Puts the service together, not listening yet. `close` is called when the last request is done.
   *
   * @throws ConfigError, or another Error where the service cannot start
   */
  start: (process: ServiceProcess<Name>) => Promise<{ server: ServiceServer; close: () => Promise<void> }>
}

/**
 * Runs a service as a process: reads its configuration, starts it, listens until SIGTERM or SIGINT,
 * then drains and exits 0. Exits 78 where the configuration cannot be used, and 1 where the service
 * cannot start or listen.
 */
export async function runService<Name extends VariableName>(options: ServiceOptions<Name>): Promise<void> {
  const { name, portVariable, requireUsable, start } = options
  const config: Config<Name> & Config<CommonVariable | PortVariable> = configFromEnvironment(
    [...options.variables, ...commonVariables, portVariable],
    requireUsable,
  )
  const log = createLog(name, config.LOG_LEVEL)
  const tracing = await loadTracing(name, log)
  let isStopping = false
  const { server, close } = await start({
    config,
    log,
    beginSpan: tracing?.beginSpan,
    isStopping: () => isStopping,
  }).catch((error: Error) => {
    if (error instanceof ConfigError) return exitUnconfigured(error)
    log.error({ err: error }, `cannot start: ${error.message}`)
    return process.exit(1)
  })

  async function listen(): Promise<void> {
    const address = { hostname: config.HOST, port: config[portVariable] }
    try {
      await server.listen(address)
    } catch (error) {
      exitUnlistenable(log, error as NodeJS.ErrnoException, address, { host: 'HOST', port: portVariable })
    }
    log.info(address, 'listening')
  }

  async function stop(signal: string): Promise<void> {
    if (isStopping) return
    isStopping = true
    log.info({ signal }, 'stopping')
    await listening
    // Requests are still served while balancers see that readiness is off.
    await sleep(config.DRAIN_DELAY_SECONDS * 1000)
    const forced = setTimeout(server.forceClose, config.DRAIN_SECONDS * 1000)
    await server.drain()
    clearTimeout(forced)
    await withTimeout(closeMs, close().then(tracing?.close)).catch((error) => {
      log.warn({ err: error }, 'stopped before everything was closed')
    })
    log.info({}, 'stopped')
    process.exit(0)
  }
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(signal))
  const listening = listen()
  await listening
}
