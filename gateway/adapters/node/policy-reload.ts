import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import { ConfigError } from '../../../shared/config.ts'
import type { Log } from '../../../shared/lib/log.ts'
import { createLifecycleLog } from '../../../shared/node/log.ts'
import type { GatewayConfig } from '../../config.ts'
import { upstreamsOf } from '../../gateway.ts'
import { compilePolicyWithFile, type PolicyFile, PolicyFileError } from '../../policy/policy-file.ts'
import { routes } from '../../routes.ts'

/**
 * Milliseconds between two looks at the file. Polling sees renames, replaced links (a mounted
 * ConfigMap) and network mounts, which a watch misses.
 */
const pollMs = 1000

/** @throws Error where the file cannot be read */
export function readPolicyFile(path: string): PolicyFile {
  return { name: path, text: readFileSync(path, 'utf8') }
}

/** @throws ConfigError where POLICY_FILE cannot be used: no gateway starts on half a policy */
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
 * Logs that a policy file is in use, in one line at every log level.
 *
 * @throws ConfigError where the file asks for a permission or feature that the origin does not have
 */
export function reportPolicyFile(path: string | undefined, gateway: { requireKnownNames: () => void }): void {
  try {
    gateway.requireKnownNames()
  } catch (error) {
    if (!(error instanceof PolicyFileError)) throw error
    throw new ConfigError([`POLICY_FILE: ${error.message}`])
  }
  if (path !== undefined) createLifecycleLog('gateway').info({ file: path }, 'policy file loaded')
}

interface PolicyReloadOptions {
  /** undefined where there is no file to follow. */
  path: string | undefined
  /** Throws a PolicyFileError where the file is rejected; the policy before it stays. */
  gateway: { usePolicyFile: (file: PolicyFile) => Promise<void> }
  pages: { describe: (file: PolicyFile) => void }
  log: Log
}

/**
 * Reads the policy file again when it changes or the process gets SIGHUP. An invalid or missing
 * file changes nothing.
 */
export function startPolicyReload(options: PolicyReloadOptions): { stop: () => void } {
  const { path, gateway, pages, log } = options
  if (path === undefined) return { stop() {} }

  const lifecycleLog = createLifecycleLog('gateway')

  async function apply() {
    try {
      const file = readPolicyFile(path as string)
      await gateway.usePolicyFile(file)
      pages.describe(file)
      lifecycleLog.info({ file: path }, 'policy file applied')
    } catch (error) {
      if (error instanceof PolicyFileError) {
        log.error({ file: path, reasons: error.reasons }, 'policy file rejected: the previous policy stays')
      } else log.error({ file: path, err: error }, 'policy file not read: the previous policy stays')
    }
  }

  // Reloads run one after the other, so that the file read last stays.
  let applied = Promise.resolve()
  const reload = () => {
    applied = applied.then(apply)
  }

  watchFile(path, { interval: pollMs, persistent: false }, reload)
  process.on('SIGHUP', reload)
  return {
    stop() {
      unwatchFile(path, reload)
      process.off('SIGHUP', reload)
    },
  }
}
