import { type DestinationStream, pino } from 'pino'
import type { Log } from '../lib/log.ts'
import { processNumber } from './process-number.ts'

/** Members of members are logged to this depth, as pino does without a serializer of ours. */
const deepest = 5

/**
 * Redis clients put the rejected command into their errors: `AUTH` and `HELLO` carry the password.
 * Errors hold errors, in members and in lists, and may hold themselves: ioredis rejects all
 * commands of a dropped transaction with one error that lists itself.
 */
function withoutCommands(value: unknown, within: readonly unknown[] = []): unknown {
  if (value === null || typeof value !== 'object') return value
  if (within.includes(value)) return '[circular]'
  if (within.length > deepest) return '[deep]'
  const inner = [...within, value]
  if (Array.isArray(value)) return value.map((member) => withoutCommands(member, inner))
  const members = Object.entries(value instanceof Error ? errorMembers(value) : value)
  const kept = members.filter(([name]) => name !== 'command')
  return Object.fromEntries(kept.map(([name, member]) => [name, withoutCommands(member, inner)]))
}

/**
 * As pino's own serializer, which writes causes into message and stack, but not into other errors:
 * it follows them without end.
 */
function errorMembers(error: Error & { errors?: unknown }): Record<string, unknown> {
  const { name, message, stack = '', cause, errors } = error
  const alone = pino.stdSerializers.err({
    constructor: error.constructor,
    name,
    message,
    stack,
    cause,
  } as Error)
  const { cause: _, ...own } = error as Error & Record<string, unknown>
  return {
    ...own,
    type: alone.type,
    message: alone.message,
    stack: alone.stack,
    ...(cause !== undefined && !(cause instanceof Error) && { cause }),
    ...(Array.isArray(errors) && { aggregateErrors: errors }),
  }
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
    serializers: { err: (error: unknown) => withoutCommands(error) },
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
