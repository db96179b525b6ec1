import { andThen, type Eventually } from '../shared/async.ts'
import type { Identity } from '../shared/claims.ts'
import { assertionLifeSeconds, sealAssertion } from '../shared/identity.ts'
import type { Signer } from '../shared/keys.ts'
import type { Now } from './ports.ts'
import type { VerifiedToken } from './tokens.ts'

export interface SealedAssertion {
  sealed: Eventually<string>
  /** Seconds since 1970. */
  renewAt: number
}

interface AssertionsOptions {
  signer: Signer
  now: Now
}

/** One is made anew this long before its end, so that none expires on its way. */
const renewSeconds = 20

/** Makes the assertion an upstream believes: once per token, upstream and life, not per request. */
export function createAssertions({ signer, now }: AssertionsOptions) {
  /** Of those whom nobody asked who they are, by audience. */
  const anonymous = new Map<string, SealedAssertion>()

  function seal(user: Identity | null, audience: string, nowSeconds: number): SealedAssertion {
    const expiresAtSeconds = nowSeconds + assertionLifeSeconds
    const sealed = sealAssertion(user, { signer, audience, nowSeconds, expiresAtSeconds })
    return { sealed, renewAt: expiresAtSeconds - renewSeconds }
  }

  /** @param caller null where nobody had to sign in */
  return function assertionFor(
    caller: Pick<VerifiedToken, 'identity' | 'assertions'> | null,
    audience: string,
  ): Eventually<string> {
    const nowSeconds = Math.floor(now() / 1000)
    const made = caller?.assertions ?? anonymous
    const known = made.get(audience)
    if (known && known.renewAt > nowSeconds) return known.sealed
    const fresh = seal(caller?.identity ?? null, audience, nowSeconds)
    made.set(audience, fresh)
    return andThen(fresh.sealed, (sealed) => {
      fresh.sealed = sealed
      return sealed
    })
  }
}

export type AssertionFor = ReturnType<typeof createAssertions>
