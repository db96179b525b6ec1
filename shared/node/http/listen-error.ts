import type { Log } from '../../lib/log.ts'

/** The variables that say where a server listens. */
export interface ListenVariables {
  host: 'HOST' | 'METRICS_HOST'
  port: string
}

export interface Address {
  hostname: string
  port: number
}

/** Message about a server that cannot listen, starting with the variable to change. */
export function describeListenError(
  error: NodeJS.ErrnoException,
  { hostname, port }: Address,
  variables: ListenVariables,
): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `${variables.port}: port ${port} on ${hostname} is in use`
    case 'EACCES':
      return `${variables.port}: this user may not listen on port ${port}`
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `${variables.host}: ${hostname} is no address of this machine`
    default:
      return `${variables.port}: cannot listen on port ${port} of ${hostname} (${error.code ?? error.message})`
  }
}

/** Ends the process of a server that cannot listen, with the reason in the log. */
export function exitUnlistenable(
  log: Log,
  error: NodeJS.ErrnoException,
  address: Address,
  variables: ListenVariables,
): never {
  log.error({ reason: error.code }, describeListenError(error, address, variables))
  process.exit(1)
}
