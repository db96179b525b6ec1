import type { Log } from '../../../shared/lib/log.ts'

const levels = ['debug', 'info', 'warn', 'error'] as const
type Level = (typeof levels)[number]

/**
 * Second defence against secrets in logs, as in `shared/node/log.ts`; call sites choose the fields
 * they log.
 */
const secrets = new Set(['authorization', 'cookie', 'password', 'access_token', 'refresh_token', 'token'])

/**
 * Log for a runtime with only a console: JSON lines, as in the other services.
 *
 * @param write writes one line
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
