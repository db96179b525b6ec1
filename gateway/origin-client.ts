import { assertionHeader } from '../shared/headers.ts'
import { gatewayAudience } from '../shared/identity.ts'
import { within } from '../shared/within.ts'
import type { AssertionFor } from './assertions.ts'
import type { Transport } from './ports.ts'

interface OriginClientOptions {
  transport: Transport
  originUrl: string
  assertionFor: AssertionFor
}

/** How long the origin may take to answer the gateway's own questions. */
const ownQuestionMs = 3000

/**
 * What the gateway asks the origin on its own behalf. It says who it is by an assertion for an audience of its own, which no proxied request
 * ever carries, whatever row the policy table has.
 */
export function createOriginClient({ transport, originUrl, assertionFor }: OriginClientOptions) {
  async function exchange(
    signal: AbortSignal,
    method: 'GET' | 'POST',
    target: string,
    body: unknown,
  ): Promise<string> {
    const headers = new Headers({ [assertionHeader]: await assertionFor(null, gatewayAudience) })
    if (body !== undefined) headers.set('content-type', 'application/json')
    const answer = await transport({
      origin: originUrl,
      target,
      method,
      headers,
      body: body === undefined ? null : new TextEncoder().encode(JSON.stringify(body)),
      signal,
      deadlineMs: ownQuestionMs,
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`the origin answered ${answer.status} to ${target}`)
    return text
  }

  /** The whole answer has that long: an origin that falls silent in the middle of one is as good as none. */
  async function ask(method: 'GET' | 'POST', target: string, body?: unknown): Promise<string> {
    const controller = new AbortController()
    try {
      return await within(ownQuestionMs, exchange(controller.signal, method, target, body))
    } finally {
      controller.abort()
    }
  }

  return {
    /** @throws Error where the origin does not answer 2xx, TransportError where it does not answer at all */
    get: (target: string) => ask('GET', target),
    /** As `get`, with a JSON body. */
    post: (target: string, body: unknown) => ask('POST', target, body),
  }
}
