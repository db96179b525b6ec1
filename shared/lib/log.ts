type Write = (fields: Record<string, unknown>, message: string) => void

/** Logger interface of the services, as in pino. */
export interface Log {
  debug: Write
  info: Write
  warn: Write
  error: Write
}
