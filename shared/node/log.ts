import { type DestinationStream, pino } from 'pino'
import type { Log } from '../lib/log.ts'
import { processNumber } from './process-number.ts'

/**
 * Redis clients put the rejected command into their errors: `AUTH` and `HELLO` carry the password.
 * Errors hold errors, in members and in lists.
 */
function withoutCommands(value: unknown): unknown {
  if (value instanceof Error) return withoutCommands(pino.stdSerializers.err(value))
  if (Array.isArray(value)) return value.map(withoutCommands)
  if (value === null || typeof value !== 'object') return value
  const kept = Object.entries(value).filter(([name]) => name !== 'command')
  return Object.fromEntries(kept.map(([name, member]) => [name, withoutCommands(member)]))
}

/**
 * JSON lines, by default on standard output. Call sites choose the fields they log; the list below
 * is a second defence, for objects logged whole.
 */
export function createLog(
  service: string,
  level: string,
  destination: DestinationStream = pino.destination(1),
): Log {
  const options = {
    level,
    base: { service, ...(processNumber && { process: processNumber.number }) },
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: withoutCommands },
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: [
        ...['authorization', 'cookie', 'password', 'access_token', 'refresh_token', 'token'].flatMap(
          (name) => [name, `*.${name}`],
        ),
        // Fields in which PostgreSQL quotes the row or the parameters of a failed statement,
        // password hashes included.
        'err.detail',
        'err.where',
      ],
      censor: '[redacted]',
    },
  }
  return pino(options, destination)
}

/**
 * Log for lines that ignore LOG_LEVEL, such as the policy in force.
 */
export const createLifecycleLog = (service: string): Log => createLog(service, 'info')
