import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import { type Config, ConfigError, readConfig, type VariableName } from '../config.ts'

/** EX_CONFIG of sysexits.h. */
const configurationExitCode = 78

/**
 * The process's configuration: its environment over the `.env` file beside it. Ends the process with the reasons where it
 * cannot be used, so that a service never runs half configured.
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
    require(config)
    return config
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(configurationExitCode)
  }
}
