import { createBoundedMap } from '../shared/bounded-map.ts'
import { assertionLifeSeconds, sealAssertion } from '../shared/identity.ts'
import type { SigningKey } from '../shared/keys.ts'
import type { Now } from './ports.ts'
import type { VerifiedToken } from './tokens.ts'

interface AssertionsOptions {
  key: SigningKey
  now: Now
  /** Assertions remembered per generation, two of which are held. */
  cacheSize?: number
}

/** One is made anew this long before its end, so that none expires on its way. */
const renewSeconds = 20

/** Makes the assertion an upstream believes: once per token, upstream and life, not per request. */
export function createAssertions({ key, now, cacheSize = 50_000 }: AssertionsOptions) {
  const made = createBoundedMap<string, { sealed: Promise<string>; renewAt: number }>(cacheSize)

  /** @param caller null where nobody had to sign in */
  return function assertionFor(caller: VerifiedToken | null, upstream: string): Promise<string> {
    const nowSeconds = Math.floor(now() / 1000)
    const id = `${upstream} ${caller?.identity.jti ?? ''}`
    const known = made.get(id)
    if (known && known.renewAt > nowSeconds) return known.sealed
    const expiresAtSeconds = nowSeconds + assertionLifeSeconds
    const sealed = sealAssertion(caller?.identity ?? null, {
      key,
      audience: upstream,
      nowSeconds,
      expiresAtSeconds,
    })
    made.set(id, { sealed, renewAt: expiresAtSeconds - renewSeconds })
    return sealed
  }
}

export type AssertionFor = ReturnType<typeof createAssertions>
