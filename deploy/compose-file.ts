import { readFileSync } from 'node:fs'
import { parse } from 'yaml'

type Environment = Record<string, string | undefined>

export interface ComposeService {
  image: string
  build?: { target: string }
  environment?: Record<string, string>
  networks: string[]
  ports?: string[]
  profiles?: string[]
  volumes?: string[]
  command?: string[]
  stop_grace_period?: string
}

export interface ComposeFile {
  services: Record<string, ComposeService>
  networks: Record<string, { internal?: boolean } | null>
}

/**
 * docker-compose.yml as an engine would take it.
 *
 * @throws Error where a variable that it requires is not in the environment
 */
export function readComposeFile(path: string, environment: Environment): ComposeFile {
  return interpolate(parse(readFileSync(path, 'utf8'), { merge: true }), environment) as ComposeFile
}

function interpolate(value: unknown, environment: Environment): unknown {
  if (typeof value === 'string') return interpolateText(value, environment)
  if (Array.isArray(value)) return value.map((item) => interpolate(item, environment))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, inner]) => [name, interpolate(inner, environment)]),
  )
}

/** `${NAME:-default}` and `${NAME:?why it is required}`, the only forms that the file uses. */
function interpolateText(text: string, environment: Environment): string {
  return text.replace(/\$\{(\w+):([-?])([^}]*)\}/g, (_, name: string, kind: string, rest: string) => {
    const value = environment[name]
    if (value) return value
    if (kind === '?') throw new Error(`${name} ${rest}`)
    return rest
  })
}
