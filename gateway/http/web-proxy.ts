import type { RawHeaders } from '../../shared/http/headers.ts'
import { isRead } from '../lib/http-method.ts'
import type { CompiledRow } from '../policy/policy.ts'
import { type Transport, TransportError, type UpstreamRequest } from '../ports.ts'
import { AssertionRejected, isAssertionRejected } from './assertion-rejection.ts'
import { bodyTimeout, noBody, readRequestBody, toStream } from './request-body.ts'
import { type ResponseDecision, responseHeaders } from './response-headers.ts'

/** Names and values in turn, as pairs. */
export const toPairs = (headers: Readonly<RawHeaders>): [string, string][] =>
  headers.flatMap((name, i) => (i % 2 ? [] : [[name, headers[i + 1] as string] as [string, string]]))

/** An admitted request. */
interface ProxiedRequest {
  decision: ResponseDecision & { row: CompiledRow; target: string }
  /** Where the upstream stands. */
  baseUrl: string
  /** The headers that go upstream, names and values in turn. */
  headers: Readonly<RawHeaders>
  /** Set for a request over its limits: bounds its body and queues it. */
  overLimitSlot: { bodySignal: AbortSignal; acquire(client: AbortSignal): Promise<void> } | undefined
  /** @throws Problem `overloaded` */
  enterUpstream(): void
  /** Called with the headers of the response, names and values in turn. */
  onResponseHead(raw: Readonly<RawHeaders>): void
}

interface ProxyOptions {
  transport: Transport
  /** Longest silence of a client within its body. */
  uploadIdleMs: number
  /** Called with each response: seconds from the request upstream to the head of its response. */
  onUpstreamResponse?: ((upstream: string, seconds: number) => void) | undefined
}

/** Proxies requests over web standards: Request in, Response out. */
export function createProxy({
  transport,
  uploadIdleMs: idleMs,
  onUpstreamResponse = () => {},
}: ProxyOptions) {
  /**
   * A GET or HEAD without a response is retried once: the upstream may have closed the kept-alive
   * connection.
   */
  async function send(request: Omit<UpstreamRequest, 'isFresh'>): Promise<Response> {
    const mayRepeat = isRead(request.method) && request.body === null
    try {
      return await transport({ ...request, isFresh: false })
    } catch (error) {
      const isWithoutResponse = error instanceof TransportError && error.reason === 'unreachable'
      if (!mayRepeat || !isWithoutResponse) throw error
      return transport({ ...request, isFresh: true })
    }
  }

  /** @throws TransportError, AssertionRejected, and what `readRequestBody` does */
  return async function forward(request: Request, admission: ProxiedRequest): Promise<Response> {
    const { decision, baseUrl, headers, overLimitSlot } = admission
    const { row, target } = decision
    const { body: chunks } = request
    const hasBody = chunks && request.headers.get('content-length') !== '0'
    const bounds = { ...row, idleMs, signal: overLimitSlot?.bodySignal }
    const requestBody = hasBody ? await readRequestBody(chunks, bounds) : noBody
    await overLimitSlot?.acquire(request.signal)
    admission.enterUpstream()
    const { body, problem, isAwaited } = requestBody
    const sentAt = performance.now()
    try {
      const response = await send({
        baseUrl,
        target,
        method: request.method,
        headers: new Headers(toPairs(headers)),
        body: body === null || body instanceof Uint8Array ? body : toStream(body),
        signal: request.signal,
        deadlineMs: row.deadline_seconds * 1000,
        idleMs: row.idle_seconds * 1000,
      })
      onUpstreamResponse(row.upstream, (performance.now() - sentAt) / 1000)
      // The upstream may have responded to a truncated body.
      const brokenBy = problem()
      if (brokenBy) throw brokenBy
      const raw = [...response.headers].flat()
      admission.onResponseHead(raw)
      if (isAssertionRejected(response.status, raw)) {
        await response.body?.cancel()
        throw new AssertionRejected(row.upstream)
      }
      return new Response(response.body, {
        status: response.status,
        headers: toPairs(responseHeaders(response.status, raw, decision)),
      })
    } catch (error) {
      const isLate = error instanceof TransportError && error.reason === 'timeout'
      throw problem() ?? (isLate && isAwaited() ? bodyTimeout() : error)
    }
  }
}
