import { createPrivateKey, createPublicKey } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { type Config, ConfigError, readConfig, type VariableName } from '../config.ts'
import { configurationExitCode } from './cli.ts'

/**
 * The process's configuration: its environment over the `.env` file beside it. Ends the process
 * with the reasons where it cannot be used, so that a service never runs half configured.
 *
 * @param require throws ConfigError for what one variable demands of another
 */
export function configFromEnvironment<Name extends VariableName>(
  names: readonly Name[],
  require: (config: Config<Name>) => void = () => {},
): Config<Name> {
  const file = existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {}
  try {
    const config = readConfig(names, { ...file, ...process.env }, Object.keys(file))
    requireKeysOnCurve(config)
    require(config)
    return config
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return exitUnconfigured(error)
  }
}

/** Ends the process with the reasons and the exit code of a configuration that cannot be used. */
export function exitUnconfigured({ message }: ConfigError): never {
  process.stderr.write(`${message}\n`)
  process.exit(configurationExitCode)
}

/** A key off the curve passes the schema and would fail at its first use. */
function requireKeysOnCurve(config: Partial<Config<VariableName>>): void {
  const reasons: string[] = []
  const attempt = (name: VariableName, load: () => void) => {
    try {
      load()
    } catch {
      reasons.push(`${name}: has numbers that are no key of P-256; npm run secrets makes one`)
    }
  }
  const { ASSERTION_PRIVATE_JWK: privateJwk, ASSERTION_PUBLIC_JWKS: publicJwks } = config
  if (privateJwk) attempt('ASSERTION_PRIVATE_JWK', () => createPrivateKey({ key: privateJwk, format: 'jwk' }))
  for (const key of publicJwks?.keys ?? [])
    attempt('ASSERTION_PUBLIC_JWKS', () => createPublicKey({ key, format: 'jwk' }))
  if (reasons.length > 0) throw new ConfigError(reasons)
}
