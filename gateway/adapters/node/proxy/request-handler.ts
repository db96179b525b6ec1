import type { IncomingMessage, RequestListener } from 'node:http'
import { formatProblem } from '../../../../shared/http/errors.ts'
import { isHost } from '../../../../shared/http/host-header.ts'
import type { ServerOptions } from '../../../../shared/node/http/http-server.ts'
import { problemHeaders } from '../../../../shared/node/http/problem-headers.ts'
import type { Admission } from '../../../decision/admission.ts'
import { hasBody, isBodyUnwanted } from '../../../http/request-body.ts'
import { maxHeaders, readHeaders } from '../../../http/request-headers.ts'
import type { GatewayMetrics } from '../../../metrics.ts'
import { normalizePath } from '../../../policy/request-target.ts'
import type { FastPathOptions } from '../fast-path/fast-path-connection.ts'
import type { Upstreams } from '../upstream/pools.ts'
import type { ClientRequest, ClientResponse } from './client-types.ts'
import { proxyRequest } from './proxy-exchange.ts'
import { type LifecycleOptions, pathOf, RequestLifecycle } from './request-lifecycle.ts'
import type { OpenStreams } from './stream-registry.ts'
import { createTurnEnd } from './tick-flush.ts'

interface ListenerOptions extends LifecycleOptions {
  upstreams: Upstreams
  /** Paths that the gateway answers itself, by `handleLocally`. */
  ownPaths: ReadonlySet<string>
  handleLocally: RequestListener
  streams: OpenStreams
  /** How long a client may send nothing of its body. */
  uploadIdleMs: number
  metrics: GatewayMetrics
}

interface RequestHandler extends Required<Pick<ServerOptions, 'listener' | 'deadlines'>> {
  /** The same handler for requests of the fast path, which can be left out. */
  fastPath: FastPathOptions
}

/**
 * Handles a request on Node, from node:http or from the fast path. The decision is the one of every
 * runtime; the proxied request makes no Request or Response. The gateway's own paths and preflights
 * go through the Hono app.
 */
export function createListener(options: ListenerOptions): RequestHandler {
  const { upstreams, ownPaths, handleLocally, streams, uploadIdleMs, metrics } = options
  const atTurnEnd = createTurnEnd()

  function proxy(request: ClientRequest, response: ClientResponse, path: string): void {
    const lifecycle = new RequestLifecycle(options, request, path)
    let mayHaveBody = true

    function reject(error: unknown): void {
      // The server has answered what cannot be read any further.
      if (response.writableEnded) return
      const problem = lifecycle.problemOf(error)
      if (response.closed) return
      const formatted = formatProblem(problem, lifecycle.requestId)
      // The rest of an unread body would stand before the next request.
      const headers = problemHeaders(formatted, mayHaveBody && !request.complete)
      response.writeHead(formatted.status, [...headers, ...lifecycle.commonHeaders()])
      response.end(request.method === 'HEAD' ? undefined : formatted.body, 'utf8')
    }

    let stop: (() => void) | undefined
    response.on('close', () => {
      lifecycle.ended(response.writableFinished ? response.statusCode : 499)
      stop?.()
    })

    try {
      const headers = readHeaders(request.rawHeaders)
      mayHaveBody = hasBody(headers)
      const admitted = lifecycle.admit(headers)
      const go = (admission: Admission): void => {
        if (!lifecycle.enter(admission, response.closed || response.writableEnded)) return
        stop = proxyRequest({
          request,
          response,
          headers,
          admission,
          pool: upstreams.poolOf(admission.origin),
          lifecycle,
          streams,
          uploadIdleMs,
          atTurnEnd,
          onResponse: metrics.recordUpstreamResponse,
          reject,
        })
      }
      if (admitted instanceof Promise) admitted.then(go).catch(reject)
      else go(admitted)
    } catch (error) {
      reject(error)
    }
  }

  const isOwn = (path: string) => ownPaths.has(normalizePath(path))

  const fastPath: FastPathOptions = {
    takes: (target) => !isOwn(pathOf(target)),
    listener: (request, response) => proxy(request, response, pathOf(request.url)),
  }

  return {
    // A row says how long its bodies may take, and what goes nowhere is not read.
    deadlines: { request: 0 },
    listener(request, response) {
      if (request.method === 'OPTIONS' && request.url === '*') request.url = '/*'
      const path = pathOf(request.url ?? '/')
      const isItsOwn = request.method === 'OPTIONS' || isOwn(path)
      if (isItsOwn && isReadable(request) && !hasUnwantedBody(request)) handleLocally(request, response)
      else proxy(request, response, path)
    },
    fastPath,
  }
}

/** It is refused like one that would go upstream. */
function hasUnwantedBody({ method = '', headers }: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': transferEncoding } = headers
  return isBodyUnwanted(method, { contentLength: length ? Number(length) : undefined, transferEncoding })
}

/**
 * Whether a URL can be made of the target, and the headers are within their bound. Any other
 * request is rejected by the proxy.
 */
function isReadable({ url = '', headers: { host }, rawHeaders }: IncomingMessage): boolean {
  return url.startsWith('/') && (host === undefined || isHost(host)) && rawHeaders.length <= 2 * maxHeaders
}
