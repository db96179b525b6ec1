import type { IncomingMessage, RequestListener } from 'node:http'
import { isHost } from '../../../../shared/http/host-header.ts'
import type { ServerOptions } from '../../../../shared/node/http/http-server.ts'
import { isBodyUnwanted } from '../../../http/request-body.ts'
import { maxHeaders } from '../../../http/request-headers.ts'
import { normalizePath } from '../../../policy/request-target.ts'
import type { FastPathOptions } from '../fast-path/fast-path-connection.ts'
import type { ClientRequest, ClientResponse } from './client-types.ts'
import { ProxiedRequest, type ProxiedRequestOptions } from './proxied-request.ts'
import { createTickFlush } from './tick-flush.ts'

interface RequestHandlerOptions extends Omit<ProxiedRequestOptions, 'flushPerTick'> {
  /** Paths that the gateway answers itself, by `handleLocally`. */
  localPaths: ReadonlySet<string>
  handleLocally: RequestListener
}

interface RequestHandler extends Required<Pick<ServerOptions, 'listener' | 'deadlines'>> {
  /** The same handler for requests of the fast path, which is optional. */
  fastPath: FastPathOptions
}

/**
 * Handles requests on Node, from node:http or from the fast path. The decision is the one of every
 * runtime; a proxied request makes no Request or Response. The gateway's own paths and preflights
 * go through the Hono app.
 */
export function createRequestHandler({
  localPaths,
  handleLocally,
  ...proxyOptions
}: RequestHandlerOptions): RequestHandler {
  const options: ProxiedRequestOptions = { ...proxyOptions, flushPerTick: createTickFlush() }

  function proxy(request: ClientRequest, response: ClientResponse, path: string): void {
    void options.requests.run(new ProxiedRequest(options, request, response, path))
  }

  const isLocalPath = (path: string) => localPaths.has(normalizePath(path))

  const fastPath: FastPathOptions = {
    accepts: (target) => !isLocalPath(pathOf(target)),
    listener: (request, response) => proxy(request, response, pathOf(request.url)),
  }

  return {
    // The row of a request bounds the time of its body. The body of a rejected request is not read.
    deadlines: { request: 0 },
    listener(request, response) {
      if (request.method === 'OPTIONS' && request.url === '*') request.url = '/*'
      const path = pathOf(request.url ?? '/')
      const isLocal = request.method === 'OPTIONS' || isLocalPath(path)
      if (isLocal && isReadable(request) && !hasUnwantedBody(request)) handleLocally(request, response)
      else proxy(request, response, path)
    },
    fastPath,
  }
}

/** An unwanted body is rejected by the proxy, also on the gateway's own paths. */
function hasUnwantedBody({ method = '', headers }: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': transferEncoding } = headers
  return isBodyUnwanted(method, { contentLength: length ? Number(length) : undefined, transferEncoding })
}

/**
 * Whether the target makes a URL and the headers are within their bound. Any other request is
 * rejected by the proxy.
 */
function isReadable({ url = '', headers: { host }, rawHeaders }: IncomingMessage): boolean {
  const makesUrl = url.startsWith('/') && !pathOf(url).includes('\\')
  return makesUrl && (host === undefined || isHost(host)) && rawHeaders.length <= 2 * maxHeaders
}

/** The path of a request's target, without its query. */
export function pathOf(target: string): string {
  const queryAt = target.indexOf('?')
  return queryAt === -1 ? target : target.slice(0, queryAt)
}
