import { assertionLifeSeconds } from '../../shared/auth/assertion.ts'
import {
  encodeAssertionHeader,
  encodePersonalPart,
  encodeSharedPart,
} from '../../shared/auth/assertion-format.ts'
import type { Identity } from '../../shared/auth/claims.ts'
import type { Signer } from '../../shared/auth/jwk.ts'
import type { Awaitable } from '../../shared/lib/async.ts'
import type { EpochSeconds } from '../../shared/lib/time.ts'
import type { Now } from '../ports.ts'
import type { InternedClaims, SharedPart } from './identity-interner.ts'
import type { SignedAssertion, VerifiedToken } from './verified-token.ts'

/** Holds the assertions of one caller. */
interface AssertionHolder {
  identity: Identity | null
  internedClaims: InternedClaims
  assertion: SignedAssertion | undefined
}

function assertionIn(holder: AssertionHolder, audience: string): SignedAssertion {
  for (let signed = holder.assertion; signed; signed = signed.next)
    if (signed.sharedPart.audience === audience) return signed
  const unsigned = {
    personalPart: '',
    sharedPart: sharedPartOf(holder.internedClaims, audience),
    signature: '',
    renewAt: 0,
    next: holder.assertion,
  }
  holder.assertion = unsigned
  return unsigned
}

function sharedPartOf({ claims, parts }: InternedClaims, audience: string): SharedPart {
  const known = parts.get(audience)
  if (known) return known
  const part = { audience, encoded: encodeSharedPart(claims, audience) }
  parts.set(audience, part)
  return part
}

/**
 * Keeps a signature when it is there; until then requests wait for its promise. A failure is not
 * kept.
 */
function keepWhenSigned(pending: Promise<string>, signed: SignedAssertion): void {
  pending.then(
    (signature) => {
      if (signed.signature === pending) signed.signature = signature
    },
    () => {
      if (signed.signature === pending) signed.renewAt = 0
    },
  )
}

interface AssertionSignerOptions {
  /** The key that signs at this time; its own one where the key does not change. */
  signer: Signer | ((at: EpochSeconds) => Signer)
  now: Now
}

/**
 * An assertion is renewed this long before it expires, so that none expires in transit or at an
 * upstream whose clock is ahead by less than this plus its own leeway.
 */
const renewSeconds = 20

const usedSeconds = assertionLifeSeconds - renewSeconds

/** Signs assertions: once per token, upstream and lifetime, not per request. */
export function createAssertionSigner({ signer, now }: AssertionSignerOptions) {
  const signerAt = typeof signer === 'function' ? signer : () => signer
  let current: Signer | undefined
  let header = ''
  /** Assertions that are to be renewed before this were signed by an earlier key. */
  let firstRenewAt = 0

  /** Assertions of requests without a user. */
  const anonymous: AssertionHolder = {
    identity: null,
    internedClaims: { claims: null, parts: new Map() },
    assertion: undefined,
  }

  /** V8 joins strings lazily: the parts are copied once, into the head of the request. */
  function jwtOf({ personalPart, sharedPart, signature }: SignedAssertion): Awaitable<string> {
    const signed = header + personalPart + sharedPart.encoded
    return signature instanceof Promise
      ? signature.then((text) => `${signed}.${text}`)
      : `${signed}.${signature}`
  }

  /** In the second of the change each request is signed anew. */
  function useSigner(next: Signer, nowSeconds: number): void {
    if (current) firstRenewAt = nowSeconds + usedSeconds + 1
    current = next
    header = encodeAssertionHeader(next.kid)
  }

  function sign(
    signed: SignedAssertion,
    signer: Signer,
    identity: Identity | null,
    nowSeconds: number,
  ): void {
    signed.personalPart = encodePersonalPart(identity, nowSeconds, nowSeconds + assertionLifeSeconds)
    signed.signature = signer.sign(header + signed.personalPart + signed.sharedPart.encoded)
    signed.renewAt = nowSeconds + usedSeconds
    if (signed.signature instanceof Promise) keepWhenSigned(signed.signature, signed)
  }

  /** @param caller null on a public route */
  return function assertionFor(
    caller: Pick<VerifiedToken, 'identity' | 'internedClaims' | 'assertion'> | null,
    audience: string,
  ): Awaitable<string> {
    const nowSeconds = Math.floor(now() / 1000)
    const signer = signerAt(nowSeconds)
    if (signer !== current) useSigner(signer, nowSeconds)
    const holder = caller ?? anonymous
    const signed = assertionIn(holder, audience)
    const leftSeconds = signed.renewAt - nowSeconds
    // If the clock was set back, more time is left than an assertion lives: upstreams would reject
    // its `iat`.
    if (!(leftSeconds > 0 && leftSeconds <= usedSeconds && signed.renewAt >= firstRenewAt))
      sign(signed, signer, holder.identity, nowSeconds)
    return jwtOf(signed)
  }
}

export type AssertionFor = ReturnType<typeof createAssertionSigner>
