import { gatewayAudience } from '../../shared/auth/assertion.ts'
import { gatewayReports } from '../../shared/contract/internal/gateway-reports.ts'
import { createApiClient } from '../../shared/endpoint/api-client.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { withTimeout } from '../../shared/lib/with-timeout.ts'
import { AssertionRejected, isAssertionRejected } from '../http/assertion-rejection.ts'
import type { Transport } from '../ports.ts'
import type { AssertionFor } from '../tokens/assertion-signer.ts'

interface OriginClientOptions {
  transport: Transport
  originUrl: string
  assertionFor: AssertionFor
  /** Called when the origin rejects the gateway's assertion. */
  onAssertionRejected?: () => void
}

/** A response of the origin other than 2xx. */
export class OriginRejection extends Error {
  readonly status: number

  constructor(status: number, target: string) {
    super(`the origin answered ${status} to ${target}`)
    this.name = 'OriginRejection'
    this.status = status
  }
}

/** Timeout of the gateway's own calls to the origin. */
const callTimeoutMs = 3000

/**
 * Client for the gateway's own calls to the origin. Its assertions have their own audience, which
 * no proxied request gets, whatever the policy table says.
 */
export function createOriginClient({
  transport,
  originUrl,
  assertionFor,
  onAssertionRejected = () => {},
}: OriginClientOptions) {
  async function exchange(
    signal: AbortSignal,
    target: string,
    { method = 'GET', headers, body }: RequestInit,
  ): Promise<Response> {
    const allHeaders = new Headers(headers)
    allHeaders.set(assertionHeader, await assertionFor(null, gatewayAudience))
    const response = await transport({
      baseUrl: originUrl,
      target,
      method,
      headers: allHeaders,
      body: typeof body === 'string' ? new TextEncoder().encode(body) : null,
      signal,
      deadlineMs: callTimeoutMs,
      idleMs: callTimeoutMs,
      isFresh: false,
    })
    const text = await response.text()
    if (isAssertionRejected(response.status, [...response.headers].flat())) {
      onAssertionRejected()
      throw new AssertionRejected('origin')
    }
    if (!response.ok) throw new OriginRejection(response.status, target)
    return new Response(text === '' ? null : text, { status: response.status })
  }

  /**
   * The timeout covers the whole response: an origin that falls silent within one counts as
   * unavailable.
   *
   * @throws AssertionRejected, TransportError where the origin does not respond, OriginRejection
   * where its response is not 2xx, Error where there is none in time
   */
  async function fetchFromOrigin(target: string, init: RequestInit = {}): Promise<Response> {
    const controller = new AbortController()
    try {
      return await withTimeout(callTimeoutMs, exchange(controller.signal, target, init))
    } finally {
      controller.abort()
    }
  }

  return {
    /** @throws as each of the other calls does */
    get: async (target: string): Promise<string> => (await fetchFromOrigin(target)).text(),
    ...createApiClient(gatewayReports.endpoints, { baseUrl: '', fetch: fetchFromOrigin }),
  }
}
