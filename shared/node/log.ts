import { type DestinationStream, pino } from 'pino'
import type { Log } from '../lib/log.ts'

/**
 * JSON lines, on standard output unless told otherwise. Call sites name the fields they log; the
 * list below is a second wall, for an object that reaches the log whole.
 */
export function createLog(
  service: string,
  level: string,
  destination: DestinationStream = pino.destination(1),
): Log {
  const options = {
    level,
    base: { service },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    redact: {
      paths: [
        ...['authorization', 'cookie', 'password', 'access_token', 'refresh_token', 'token'].flatMap(
          (name) => [name, `*.${name}`],
        ),
        // Where Postgres says on which row, or with which parameters, a statement failed: a
        // password hash among them.
        'err.detail',
        'err.where',
      ],
      censor: '[redacted]',
    },
  }
  return pino(options, destination)
}

/**
 * For the few lines that every operator needs, whatever LOG_LEVEL says: which policy is in force,
 * for one.
 */
export const createLifecycleLog = (service: string): Log => createLog(service, 'info')
