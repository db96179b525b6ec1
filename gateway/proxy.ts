import { Problem } from '../shared/errors.ts'
import { assertionHeader, isInternalHeader, ownCookiePrefix, requestIdHeader } from '../shared/headers.ts'
import type { Decision } from './decision.ts'
import type { Route } from './policy.ts'
import { type Transport, TransportError } from './ports.ts'
import { readRequestBody, tooLarge } from './request-body.ts'

/** These belong to one connection (RFC 9110, section 7.6.1) and end here, both ways. */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** What a client says of its own way here; rebuilt from what we saw. */
const rebuilt = new Set([
  'host',
  'forwarded',
  'x-real-ip',
  'x-client-ip',
  'x-cluster-client-ip',
  'true-client-ip',
  'cf-connecting-ip',
  'via',
  'expect',
  requestIdHeader,
])

/** What some frameworks take for another method or path than the one that was matched here. */
const rerouting = new Set([
  'x-http-method',
  'x-http-method-override',
  'x-method-override',
  'x-original-url',
  'x-rewrite-url',
])

/** What an upstream says of itself is nobody's business. */
const revealing = new Set(['server', 'x-powered-by'])

export interface ClientFacts {
  address: string
  requestId: string
  /** `https` or `http`. */
  scheme: string
  host: string
}

interface ProxyOptions {
  transport: Transport
  /** Where each upstream stands, by its name in the policy table. */
  upstreams: Record<string, string>
}

export function createProxy({ transport, upstreams }: ProxyOptions) {
  /** @throws Problem `upstream_unreachable`, `upstream_timeout`, and what `readRequestBody` does */
  return async function forward(
    request: Request,
    decision: Decision,
    client: ClientFacts,
  ): Promise<Response> {
    const { route, target } = decision
    const origin = upstreams[route.upstream]
    if (!origin) throw new Error(`no upstream ${route.upstream}`)
    const { body, exceeded } = await readRequestBody(request, route)
    try {
      const answer = await transport({
        origin,
        target,
        method: request.method,
        headers: requestHeaders(request.headers, decision, client),
        body,
        signal: request.signal,
        deadlineMs: route.deadline_seconds * 1000,
      })
      // An upstream may have answered what it took for the body's end.
      if (exceeded()) throw tooLarge(route.body_bytes)
      return new Response(answer.body, {
        status: answer.status,
        headers: answerHeaders(answer.headers, route),
      })
    } catch (error) {
      if (exceeded()) throw tooLarge(route.body_bytes)
      throw error instanceof TransportError ? toProblem(error) : error
    }
  }
}

function toProblem(error: TransportError): Problem {
  switch (error.reason) {
    case 'unreachable':
      return new Problem('upstream_unreachable', { cause: error.cause })
    case 'timeout':
      return new Problem('upstream_timeout', { cause: error.cause })
    case 'client_left':
      return new Problem('client_closed_request')
  }
}

/** Header names that the Connection field makes hop-by-hop for this message. */
function named(connection: string | null): Set<string> {
  return new Set(connection?.split(',').map((name) => name.trim().toLowerCase()))
}

/** The cookies of a Cookie field that are not ours, or null where there are none. */
function foreignCookies(field: string): string | null {
  const foreign = field.split(';').filter((pair) => !pair.trim().startsWith(ownCookiePrefix))
  return foreign.length > 0 ? foreign.join(';').trim() : null
}

/** The user's token and our cookies are for us: an upstream that never has them cannot lose them. */
function withoutCredentials(name: string, value: string, { passes }: Route): string | null {
  if (name === 'authorization') return passes.includes('authorization') ? value : null
  if (name === 'cookie') return passes.includes('cookies') ? value : foreignCookies(value)
  return value
}

function requestHeaders(from: Headers, { assertion, route }: Decision, client: ClientFacts): Headers {
  const dropped = named(from.get('connection'))
  const headers = new Headers()
  for (const [name, value] of from) {
    // Some servers read `X_Forwarded_For` as `X-Forwarded-For`, so both spellings count.
    const read = name.replaceAll('_', '-')
    const drop =
      hopByHop.has(read) ||
      rebuilt.has(read) ||
      rerouting.has(read) ||
      read.startsWith('x-forwarded-') ||
      isInternalHeader(read) ||
      dropped.has(name)
    const kept = drop ? null : withoutCredentials(read, value, route)
    if (kept !== null) headers.append(name, kept)
  }
  // Set last: no Connection field of a client's can take these away.
  headers.set(assertionHeader, assertion)
  headers.set(requestIdHeader, client.requestId)
  headers.set('x-forwarded-for', client.address)
  headers.set('x-forwarded-proto', client.scheme)
  headers.set('x-forwarded-host', client.host)
  headers.set('via', '1.1 gatehouse')
  return headers
}

function answerHeaders(from: Headers, { passes }: Route): Headers {
  const dropped = named(from.get('connection'))
  const headers = new Headers()
  for (const [name, value] of from) {
    // Which origins may read an answer is for the gateway to say, whatever an upstream allows.
    const drop =
      hopByHop.has(name) ||
      revealing.has(name) ||
      isInternalHeader(name) ||
      name.startsWith('access-control-') ||
      // Nor may an upstream set a cookie that we would believe.
      (name === 'set-cookie' && value.startsWith(ownCookiePrefix) && !passes.includes('cookies')) ||
      dropped.has(name)
    if (!drop) headers.append(name, value)
  }
  headers.append('via', '1.1 gatehouse')
  return headers
}
