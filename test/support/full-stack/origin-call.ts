import { assertionLifeSeconds, gatewayAudience } from '../../../shared/auth/assertion.ts'
import type { Identity } from '../../../shared/auth/claims.ts'
import { importWebSigner, privateJwkSchema } from '../../../shared/auth/jwk.ts'
import { assertionHeader } from '../../../shared/http/headers.ts'
import { type AssertionOptions, signAssertion } from '../sign-assertion.ts'
import type { FullStack } from './full-stack.ts'

/**
 * An assertion as this world's gateway signs it; `over` makes it one that the gateway never would.
 */
export async function assertionFrom(
  fullStack: FullStack,
  user: Identity | null = null,
  over: Partial<AssertionOptions> = {},
) {
  const nowSeconds = Math.floor(Date.now() / 1000)
  return signAssertion(user, {
    signer: await importWebSigner(
      privateJwkSchema.parse(JSON.parse(fullStack.secrets.ASSERTION_PRIVATE_JWK)),
    ),
    audience: 'origin',
    nowSeconds,
    expiresAtSeconds: nowSeconds + assertionLifeSeconds,
    ...over,
  })
}

/**
 * Calls the origin as the gateway would, without a user: the response's headers are the origin's
 * own.
 */
export async function callOrigin(
  fullStack: FullStack,
  path: string,
  init: RequestInit = {},
): Promise<Response> {
  const headers = new Headers(init.headers)
  headers.set(assertionHeader, await assertionFrom(fullStack))
  return fullStack.originFetch(path, { ...init, headers })
}

/** Posts JSON to the origin as the gateway would. */
export function postOrigin(fullStack: FullStack, path: string, body: unknown): Promise<Response> {
  return callOrigin(fullStack, path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-forwarded-for': '203.0.113.7' },
    body: JSON.stringify(body),
  })
}

/** Sends a gateway's report to the origin, by default with the gateway's own assertion. */
export async function postReport(
  fullStack: FullStack,
  path: string,
  body: unknown,
  headers?: Record<string, string>,
): Promise<Response> {
  return fullStack.originFetch(path, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(headers ?? {
        [assertionHeader]: await assertionFrom(fullStack, null, { audience: gatewayAudience }),
      }),
    },
    body: JSON.stringify(body),
  })
}

/** The parts of a response that a client sees, without the request's own id. */
export async function sameToAReader(response: Response) {
  const { request_id: _, ...body } = (await response.json()) as Record<string, unknown>
  const headers = [...response.headers].filter(([name]) => name !== 'x-request-id')
  return { status: response.status, headers, body }
}
