import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { ConfigError } from '../../../shared/config.ts'
import type { Log } from '../../../shared/lib/log.ts'
import { exitUnconfigured } from '../../../shared/node/environment.ts'
import { createLifecycleLog } from '../../../shared/node/log.ts'
import type { GatewayConfig } from '../../config.ts'
import { upstreamsOf } from '../../gateway.ts'
import { compilePolicyWithFile, type PolicyFile, PolicyFileError } from '../../policy/policy-file.ts'
import { routes } from '../../routes.ts'

/**
 * How often the file is looked at: a look sees renames, links that turn (a mounted ConfigMap) and
 * network mounts, which a watch misses.
 */
const lookMs = 1000

/** @throws Error where the file cannot be read */
export function readPolicyFile(path: string): PolicyFile {
  return { name: path, text: readFileSync(path, 'utf8') }
}

/**
 * @throws ConfigError where POLICY_FILE is set to what cannot be used: no gateway starts on half a
 *   policy
 */
export function requireUsablePolicyFile(
  config: Pick<GatewayConfig, 'POLICY_FILE' | 'UPSTREAMS' | 'ORIGIN_URL'>,
) {
  if (config.POLICY_FILE === undefined) return
  try {
    compilePolicyWithFile(routes, readPolicyFile(config.POLICY_FILE), Object.keys(upstreamsOf(config)))
  } catch (error) {
    throw new ConfigError([`POLICY_FILE: ${(error as Error).message}`])
  }
}

/**
 * Tells that a policy file is in use, in one line at every level of the log. Ends the process with
 * 78 where the file asks for a permission or a feature that the origin does not have.
 */
export function reportPolicyFile(path: string | undefined, gateway: { requireKnownNames: () => void }): void {
  try {
    gateway.requireKnownNames()
  } catch (error) {
    if (!(error instanceof PolicyFileError)) throw error
    exitUnconfigured(new ConfigError([`POLICY_FILE: ${error.message}`]))
  }
  if (path !== undefined) createLifecycleLog('gateway').info({ file: path }, 'policy file loaded')
}

interface PolicyReloadOptions {
  /** undefined where there is none to follow. */
  path: string | undefined
  /** Throws a PolicyFileError where the file is refused; the policy of before stays. */
  gateway: { usePolicyFile: (file: PolicyFile) => Promise<void> }
  pages: { describe: (file: PolicyFile) => void }
  log: Log
}

/**
 * Reads the policy file again when it changes or the process gets SIGHUP. A file that is bad or
 * gone changes nothing.
 */
export function startPolicyReload(options: PolicyReloadOptions): { stop: () => void } {
  const { path, gateway, pages, log } = options
  if (path === undefined) return { stop() {} }

  const noticed = createLifecycleLog('gateway')

  async function apply() {
    try {
      const file = readPolicyFile(path as string)
      await gateway.usePolicyFile(file)
      pages.describe(file)
      noticed.info({ file: path }, 'policy file applied')
    } catch (error) {
      if (error instanceof PolicyFileError) {
        log.error({ file: path, reasons: error.reasons }, 'policy file refused, the policy of before stays')
      } else log.error({ file: path, err: error }, 'policy file not read, the policy of before stays')
    }
  }

  // One after the other: the file that was read last is the one that stays.
  let applied = Promise.resolve()
  const reload = () => {
    applied = applied.then(apply)
  }

  watchFile(path, { interval: lookMs, persistent: false }, reload)
  process.on('SIGHUP', reload)
  return {
    stop() {
      unwatchFile(path, reload)
      process.off('SIGHUP', reload)
    },
  }
}
