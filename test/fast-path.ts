import type { ServerOptions } from '../shared/node/http/http-server.ts'
import { openPlainLane, type PlainOptions } from '../shared/node/plain/plain-lane.ts'

/** The fast path in front of a server of a test's own. */
export const fastPath = (options: PlainOptions): Pick<Required<ServerOptions>, 'wrapConnections'> => ({
  wrapConnections: (server, context) => openPlainLane(server, { ...options, ...context }),
})
