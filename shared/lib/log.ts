type Write = (fields: Record<string, unknown>, message: string) => void

/** What the services need of a logger; pino has this shape. */
export interface Log {
  debug: Write
  info: Write
  warn: Write
  error: Write
}
