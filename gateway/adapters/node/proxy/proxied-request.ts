import { formatProblem, type Problem } from '../../../../shared/http/errors.ts'
import type { RequestLifecycle } from '../../../../shared/http/request-lifecycle.ts'
import { problemHeaders } from '../../../../shared/node/http/problem-headers.ts'
import type { Admission } from '../../../decision/admission.ts'
import type { RequestInfo } from '../../../decision/decision-context.ts'
import type { RequestRunner, RuntimeRequest } from '../../../decision/request-runner.ts'
import type { CommonHeaders } from '../../../http/common-headers.ts'
import { hasBody } from '../../../http/request-body.ts'
import { type RequestHeaders, readHeaders } from '../../../http/request-headers.ts'
import type { Upstreams } from '../upstream/pools.ts'
import type { ClientRequest, ClientResponse } from './client-types.ts'
import { type CancellableExchange, proxyRequest } from './proxy-exchange.ts'
import type { StreamRegistry } from './stream-registry.ts'
import type { FlushPerTick } from './tick-flush.ts'

export interface ProxiedRequestOptions {
  requests: RequestRunner
  createLifecycle: (method: string, path: string) => RequestLifecycle
  upstreams: Upstreams
  commonHeaders: CommonHeaders
  streams: StreamRegistry
  /** Milliseconds that a client may pause while it sends its body. */
  uploadIdleMs: number
  /** Called with the seconds from the request upstream to the head of its response. */
  onUpstreamResponse: (upstream: string, seconds: number) => void
  /** Ends the responses of one tick together. */
  flushPerTick: FlushPerTick
}

/** A request to proxy, from node:http or from the fast path. */
export class ProxiedRequest implements RuntimeRequest<void> {
  readonly lifecycle: RequestLifecycle
  private readonly options: ProxiedRequestOptions
  private readonly request: ClientRequest
  private readonly response: ClientResponse
  /** undefined until the head has been read. */
  private headers: RequestHeaders | undefined = undefined
  private exchange: CancellableExchange | undefined = undefined

  /** @param path the request's target without its query */
  constructor(
    options: ProxiedRequestOptions,
    request: ClientRequest,
    response: ClientResponse,
    path: string,
  ) {
    this.options = options
    this.request = request
    this.response = response
    this.lifecycle = options.createLifecycle(request.method ?? 'GET', path)
    response.on('close', this.end)
  }

  readInfo(): RequestInfo {
    const { request, lifecycle } = this
    const headers = readHeaders(request.rawHeaders)
    this.headers = headers
    return requestInfo(request, headers, lifecycle)
  }

  hasLeft(): boolean {
    return this.response.closed
  }

  isAnswered(): boolean {
    return this.response.writableEnded
  }

  forward(admission: Admission): void {
    const { options, request, response } = this
    const { upstreams, commonHeaders, streams, uploadIdleMs, onUpstreamResponse, flushPerTick } = options
    const headers = this.headers as RequestHeaders
    this.exchange = proxyRequest({
      request,
      response,
      headers,
      admission,
      pool: upstreams.poolOf(admission.baseUrl),
      commonHeaders,
      streams,
      uploadIdleMs,
      flushPerTick,
      onUpstreamResponse,
      reject: (error) => options.requests.fail(this, error),
    })
  }

  reject(problem: Problem): void {
    const { options, request, response, lifecycle, headers } = this
    if (response.closed) return
    const answer = formatProblem(problem, lifecycle.requestId)
    const mayHaveBody = headers === undefined || hasBody(headers)
    // The rest of an unread body would be parsed as the next request.
    const own = problemHeaders(answer, mayHaveBody && !request.complete)
    response.writeHead(answer.status, [
      ...own,
      ...options.commonHeaders.ofRejection(lifecycle.route, headers?.origin, lifecycle.requestId),
    ])
    response.end(request.method === 'HEAD' ? undefined : answer.body, 'utf8')
  }

  private readonly end = (): void => {
    const { response } = this
    this.lifecycle.end(response.writableFinished ? response.statusCode : 499)
    this.exchange?.stop()
  }
}

/** The head of a request as decisions need it. Begins the lifecycle of the request. */
export function requestInfo(
  { method = 'GET', url: target = '/', socket, targetScheme }: ClientRequest,
  headers: RequestHeaders,
  lifecycle: RequestLifecycle,
): RequestInfo {
  lifecycle.begin(headers)
  return {
    method,
    target,
    headers,
    requestId: lifecycle.requestId,
    peer: socket.remoteAddress,
    scheme: 'http',
    targetScheme,
    outgoingTrace: lifecycle.outgoingTrace,
  }
}
