import { isApiKey } from '../../shared/auth/api-key.ts'
import type { ApiKeyExchanged } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { createNetworkMatcher } from '../../shared/http/networks.ts'
import { type Awaitable, chain } from '../../shared/lib/async.ts'
import { createBoundedMap } from '../../shared/lib/bounded-map.ts'
import type { EpochMs, EpochSeconds } from '../../shared/lib/time.ts'
import type { Now, WaitUntil } from '../ports.ts'
import { createForgeryThrottle } from './forgery-throttle.ts'
import type { TokenVerifier } from './token-verifier.ts'
import type { VerifiedToken } from './verified-token.ts'

/** An API key and the access token that it was exchanged for. The key itself is not kept. */
export interface ApiKey {
  readonly id: string
  /** SHA-256 of the key, as `digest` gives it. */
  readonly hash: string
  readonly token: string
  /** The verified token. */
  caller: VerifiedToken
  /** Until then the signature of the token needs no check. */
  trustUntil: EpochSeconds
  /** From then on the key is exchanged again, beside the requests that use the token. */
  renewAt: EpochSeconds
  /** Whether a client at this address may use the key. */
  allows: (address: string) => boolean
  /** When its use was reported last. */
  reportedAt: EpochMs
}

interface ApiKeysOptions {
  /** @param hash SHA-256 of the key in base64url. @throws Error where the origin is unavailable */
  exchange: (hash: string) => Promise<ApiKeyExchanged>
  tokens: Pick<TokenVerifier, 'verify'>
  /** SHA-256 as binary string. */
  digest?: ((text: string) => Awaitable<string>) | undefined
  /** Longest time without a new check of a token's signature. */
  recheckSeconds: number
  /** The rejection of a key whose owner's plan lacks the feature. */
  lacksFeature: (rejected: Extract<ApiKeyExchanged, { kind: 'feature_required' }>) => Problem
  onExchange?: ((outcome: ApiKeyExchanged['kind'] | 'unavailable') => void) | undefined
  waitUntil?: WaitUntil | undefined
  now: Now
}

/** Keys with their tokens; the map holds up to twice this (see bounded-map.ts). */
const keptKeys = 25_000

/** Keys that were rejected; the map holds up to twice this (see bounded-map.ts). */
const rejectedKeys = 10_000

/**
 * How long a rejected key is not exchanged again. A random key is never issued later, but a plan
 * may be booked and an account enabled.
 */
const rejectedSeconds = 30

/** The token is renewed this long before it expires, so that an origin may restart meanwhile. */
const renewSeconds = 30
const renewPauseSeconds = 5

/** Exchanges at once; further keys that are not kept are 503 `overloaded`. */
export const maxExchanges = 100

/** Address by which exchanged tokens are verified: their checks count against no client. */
const exchangeAddress = 'exchange'

/**
 * Exchanges API keys for access tokens at the origin, once per key and token life. A request with a
 * kept key needs no call. Keys are compared by their digests alone, whose bytes nobody can choose:
 * the time of a comparison tells nothing of a key.
 */
export function createApiKeys(options: ApiKeysOptions) {
  const { exchange, tokens, digest = webDigest, recheckSeconds, lacksFeature, now } = options
  const { onExchange = () => {}, waitUntil = () => {} } = options
  const kept = createBoundedMap<string, ApiKey>(keptKeys)
  const rejections = createBoundedMap<string, { until: EpochSeconds; toProblem: () => Problem }>(rejectedKeys)
  const pending = new Map<string, Promise<ApiKey>>()
  const throttle = createForgeryThrottle({ now })

  const nowSeconds = () => Math.floor(now() / 1000)

  const unknown = () => new Problem('invalid_token', { cause: 'unknown API key' })

  /** Remembers a key as rejected, and throws. */
  function reject(hash: string, toProblem: () => Problem): never {
    kept.delete(hash)
    rejections.set(hash, { until: nowSeconds() + rejectedSeconds, toProblem })
    throw toProblem()
  }

  async function askOrigin(hash: string): Promise<ApiKeyExchanged> {
    try {
      const exchanged = await exchange(toBase64url(hash))
      onExchange(exchanged.kind)
      return exchanged
    } catch (error) {
      onExchange('unavailable')
      throw error instanceof Problem ? error : new Problem('keys_unavailable', { cause: error })
    }
  }

  /** A token of the origin that is not valid here is no fault of the client. */
  async function verify(token: string): Promise<VerifiedToken> {
    try {
      return await tokens.verify(token, exchangeAddress)
    } catch (error) {
      if (!(error instanceof Problem && error.status === 401)) throw error
      throw new Problem('keys_unavailable', { cause: error })
    }
  }

  async function exchangeAndKeep(hash: string): Promise<ApiKey> {
    const exchanged = await askOrigin(hash)
    if (exchanged.kind === 'unknown') return reject(hash, unknown)
    if (exchanged.kind === 'feature_required') return reject(hash, () => lacksFeature(exchanged))
    const { key_id: id, access_token: token, networks } = exchanged
    const caller = await verify(token)
    const at = nowSeconds()
    const apiKey: ApiKey = {
      id,
      hash,
      token,
      caller,
      trustUntil: Math.min(caller.expiresAt, at + recheckSeconds),
      renewAt: Math.max(at + renewPauseSeconds, caller.expiresAt - renewSeconds),
      allows: networks.length === 0 ? () => true : rememberLast(createNetworkMatcher(networks)),
      reportedAt: kept.get(hash)?.reportedAt ?? 0,
    }
    kept.set(hash, apiKey)
    return apiKey
  }

  /** Concurrent requests with one key share an exchange. */
  function exchangeOnce(hash: string): Promise<ApiKey> {
    const inFlight = pending.get(hash)
    if (inFlight) return inFlight
    if (pending.size >= maxExchanges) throw new Problem('overloaded', { cause: 'exchanges of API keys' })
    const exchanged = exchangeAndKeep(hash).finally(() => pending.delete(hash))
    pending.set(hash, exchanged)
    return exchanged
  }

  /** The exchange of a key that a client presented: delayed at addresses with unknown keys. */
  async function exchangePresented(hash: string, addressKey: string): Promise<ApiKey> {
    await throttle.throttle(addressKey)
    try {
      return await exchangeOnce(hash)
    } catch (error) {
      if (error instanceof Problem && error.status === 401) throttle.recordForgery(addressKey)
      throw error
    }
  }

  /** A failure is left to the request that finds the token expired. */
  function renewInBackground(apiKey: ApiKey, at: EpochSeconds): void {
    apiKey.renewAt = at + renewPauseSeconds
    if (pending.has(apiKey.hash) || pending.size >= maxExchanges) return
    waitUntil(exchangeOnce(apiKey.hash).catch(() => {}))
  }

  /** The token's signing key may have been withdrawn: then the key is exchanged again. */
  async function recheck(apiKey: ApiKey): Promise<ApiKey> {
    try {
      apiKey.caller = await tokens.verify(apiKey.token, exchangeAddress)
      apiKey.trustUntil = Math.min(apiKey.caller.expiresAt, nowSeconds() + recheckSeconds)
      return apiKey
    } catch (error) {
      if (!(error instanceof Problem && error.status === 401)) throw error
      return exchangeOnce(apiKey.hash)
    }
  }

  function findByHash(hash: string, key: string, addressKey: string): Awaitable<ApiKey> {
    const at = nowSeconds()
    const known = kept.get(hash)
    if (known && known.caller.expiresAt > at) {
      if (known.renewAt <= at) renewInBackground(known, at)
      return known.trustUntil > at ? known : recheck(known)
    }
    if (known) return exchangeOnce(hash)
    const rejected = rejections.get(hash)
    if (rejected && rejected.until > at) throw rejected.toProblem()
    if (!isApiKey(key)) throw new Problem('invalid_token', { cause: 'checksum of an API key' })
    return exchangePresented(hash, addressKey)
  }

  return {
    /** Keys with their tokens, expired ones included. */
    get size() {
      return kept.size
    },

    /**
     * Throws or rejects with Problem `invalid_token`, `feature_required`, `keys_unavailable`,
     * `overloaded`.
     *
     * @param addressKey the address that the key came from, or its /64
     */
    find(key: string, addressKey: string): Awaitable<ApiKey> {
      return chain(digest(key), (hash) => findByHash(hash, key, addressKey))
    },

    /**
     * Exchanges a key again whose token is stale.
     *
     * @throws Problem as `find` does
     */
    async renew(stale: ApiKey): Promise<ApiKey> {
      const known = kept.get(stale.hash)
      return known && known !== stale ? known : exchangeOnce(stale.hash)
    },

    /** Makes a revoked key an unknown one. @throws Problem `invalid_token` */
    rejectRevoked: ({ hash }: ApiKey): never => reject(hash, unknown),
  }
}

export type ApiKeys = ReturnType<typeof createApiKeys>

/** Most keys are used from one address, again and again. */
function rememberLast(matches: (address: string) => boolean): (address: string) => boolean {
  let last: string | undefined
  return (address) => {
    if (address === last) return true
    if (!matches(address)) return false
    last = address
    return true
  }
}

/** SHA-256 by WebCrypto, which every runtime has. */
async function webDigest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))
  return String.fromCharCode(...new Uint8Array(bytes))
}

const toBase64url = (binary: string) =>
  btoa(binary).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
