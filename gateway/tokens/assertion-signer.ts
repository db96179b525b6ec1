import { assertionLifeSeconds, signAssertion } from '../../shared/auth/assertion.ts'
import type { Signer } from '../../shared/auth/jwk.ts'
import type { Awaitable } from '../../shared/lib/async.ts'
import type { Now } from '../ports.ts'
import type { SignedAssertion, VerifiedToken } from './verified-token.ts'

/** Holds the assertions of one caller. */
interface AssertionHolder {
  assertion: SignedAssertion | undefined
}

function assertionIn(holder: AssertionHolder, audience: string): SignedAssertion {
  for (let signed = holder.assertion; signed; signed = signed.next)
    if (signed.audience === audience) return signed
  const unsigned = { audience, jwt: '', renewAt: Number.NEGATIVE_INFINITY, next: holder.assertion }
  holder.assertion = unsigned
  return unsigned
}

/** Requests that come before it is signed wait for the same promise; a failure is not kept. */
async function keepWhenSigned(pending: Promise<string>, signed: SignedAssertion): Promise<string> {
  try {
    const jwt = await pending
    if (signed.jwt === pending) signed.jwt = jwt
    return jwt
  } catch (error) {
    if (signed.jwt === pending) signed.renewAt = Number.NEGATIVE_INFINITY
    throw error
  }
}

interface AssertionsOptions {
  signer: Signer
  now: Now
}

/**
 * An assertion is renewed this long before it expires, so that none expires in transit or at an
 * upstream whose clock is ahead by less than this plus its own leeway.
 */
const renewSeconds = 20

const usedSeconds = assertionLifeSeconds - renewSeconds

/** Signs assertions: once per token, upstream and lifetime, not per request. */
export function createAssertions({ signer, now }: AssertionsOptions) {
  /** Assertions of requests without a user. */
  const anonymous: AssertionHolder = { assertion: undefined }

  /** @param caller null on a public route */
  return function assertionFor(
    caller: Pick<VerifiedToken, 'identity' | 'assertion'> | null,
    audience: string,
  ): Awaitable<string> {
    const nowSeconds = Math.floor(now() / 1000)
    const signed = assertionIn(caller ?? anonymous, audience)
    const leftSeconds = signed.renewAt - nowSeconds
    // If the clock was set back, more time is left than an assertion lives: upstreams would reject
    // its `iat`.
    if (leftSeconds > 0 && leftSeconds <= usedSeconds) return signed.jwt
    const expiresAtSeconds = nowSeconds + assertionLifeSeconds
    const user = caller?.identity ?? null
    const jwt = signAssertion(user, { signer, audience, nowSeconds, expiresAtSeconds })
    signed.jwt = jwt
    signed.renewAt = nowSeconds + usedSeconds
    return jwt instanceof Promise ? keepWhenSigned(jwt, signed) : jwt
  }
}

export type AssertionFor = ReturnType<typeof createAssertions>
