import { assertionHeader } from '../shared/headers.ts'
import { assertionLifeSeconds, gatewayAudience, sealAssertion } from '../shared/identity.ts'
import type { SigningKey } from '../shared/keys.ts'
import type { Now, Transport } from './ports.ts'

interface OriginClientOptions {
  transport: Transport
  originUrl: string
  key: SigningKey
  now: Now
}

/** How long the origin may take to answer the gateway's own questions. */
const ownQuestionMs = 3000

/** One is made anew this long before its end, so that none expires on its way. */
const renewSeconds = 20

/**
 * What the gateway asks the origin on its own behalf. It says who it is by an assertion for an audience of its own, which no proxied request
 * ever carries, whatever row the policy table has.
 */
export function createOriginClient({ transport, originUrl, key, now }: OriginClientOptions) {
  let assertion: { sealed: Promise<string>; renewAt: number } | undefined

  function ownAssertion(): Promise<string> {
    const nowSeconds = Math.floor(now() / 1000)
    if (!assertion || assertion.renewAt <= nowSeconds) {
      const expiresAtSeconds = nowSeconds + assertionLifeSeconds
      const sealed = sealAssertion(null, { key, audience: gatewayAudience, nowSeconds, expiresAtSeconds })
      assertion = { sealed, renewAt: expiresAtSeconds - renewSeconds }
    }
    return assertion.sealed
  }

  async function ask(method: 'GET' | 'POST', target: string, body?: unknown): Promise<string> {
    const headers = new Headers({ [assertionHeader]: await ownAssertion() })
    if (body !== undefined) headers.set('content-type', 'application/json')
    const answer = await transport({
      origin: originUrl,
      target,
      method,
      headers,
      body: body === undefined ? null : new TextEncoder().encode(JSON.stringify(body)),
      signal: new AbortController().signal,
      deadlineMs: ownQuestionMs,
    })
    const text = await answer.text()
    if (!answer.ok) throw new Error(`the origin answered ${answer.status} to ${target}`)
    return text
  }

  return {
    /** @throws Error where the origin does not answer 2xx, TransportError where it does not answer at all */
    get: (target: string) => ask('GET', target),
    /** As `get`, with a JSON body. */
    post: (target: string, body: unknown) => ask('POST', target, body),
  }
}

export type OriginClient = ReturnType<typeof createOriginClient>
