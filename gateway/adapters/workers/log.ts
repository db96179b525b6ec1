import type { Log } from '../../../shared/lib/log.ts'

const levels = ['debug', 'info', 'warn', 'error'] as const
type Level = (typeof levels)[number]

/** Call sites name the fields they log; this is a second wall, as in `shared/node/log.ts`. */
const secrets = new Set(['authorization', 'cookie', 'password', 'access_token', 'refresh_token', 'token'])

/**
 * The log for a runtime whose one output is the console: JSON lines as those of the other services.
 *
 * @param write takes a line
 */
export function createConsoleLog(service: string, level: Level, write: (line: string) => void): Log {
  const at =
    (own: Level): Log[Level] =>
    (fields, message) => {
      if (levels.indexOf(own) < levels.indexOf(level)) return
      const head = { level: own, time: new Date().toISOString(), service }
      write(JSON.stringify({ ...head, ...redacted(fields), msg: message }))
    }
  return { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

function redacted(fields: Record<string, unknown>, depth = 0): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => {
      if (secrets.has(name)) return [name, '[redacted]']
      if (value instanceof Error) return [name, describe(value)]
      if (depth === 0 && isPlain(value)) return [name, redacted(value, 1)]
      return [name, value]
    }),
  )
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function describe({ name, message, stack, cause }: Error): Record<string, unknown> {
  return { type: name, message, stack, ...(cause instanceof Error && { cause: describe(cause) }) }
}
