import {
  attachFastPath,
  type FastPathOptions,
} from '../../../gateway/adapters/node/fast-path/fast-path-connection.ts'
import type { ServerOptions } from '../../../shared/node/http/http-server.ts'

/** The fast path in front of a server of a test's own. */
export const fastPath = (options: FastPathOptions): Pick<ServerOptions, 'wrapConnections'> => ({
  wrapConnections: attachFastPath(options),
})
