import {
  type CryptoKey,
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  importJWK,
  type JWK,
  type JWTVerifyGetKey,
} from 'jose'
import * as z from 'zod'
import { ConfigError } from '../../shared/config.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { LegacyIssuer } from '../../shared/legacy-issuers.ts'
import type { EpochMs, Now } from '../../shared/lib/time.ts'

export type IssuerSecrets = Readonly<Record<string, Uint8Array>>

/** The secret of an issuer, or a function that finds the public key of a token. */
export type IssuerKey = Uint8Array | JWTVerifyGetKey

interface IssuerKeyOptions {
  secrets: IssuerSecrets
  fetch?: typeof globalThis.fetch
  now?: Now
  /** Called for each read of a key set that fails. */
  onReadFailed?: (error: unknown) => void
}

type KeySetFetchOptions = Required<Omit<IssuerKeyOptions, 'secrets'>>

/** One read of a key set, and the time until the next one where it failed. */
const fetchTimeoutMs = 3000
const retryMs = 2000
/** Bytes of a key set: a key with a chain of certificates has 5 kB. */
const longestKeySet = 65_536
/** A key set is read again at this age, and at most this often for a `kid` that it lacks. */
const keySetAgeMs = 600_000
const keySetPauseMs = 30_000
/** Age up to which the last key set that was read holds where none can be read. */
const longestOutageMs = 86_400_000

const leastRsaBits = 2048

const keySetSchema = z.object({ keys: z.array(z.looseObject({ kty: z.string() })) })

/** Faults of a token, such as an unknown `kid`, and not of the former system. */
const tokenFaults = [errors.JWKSNoMatchingKey, errors.JWKSMultipleMatchingKeys, errors.JOSENotSupported]

/**
 * The key source of an issuer.
 *
 * @throws ConfigError for a key that its algorithm cannot use
 */
export async function createIssuerKey(
  { issuer, jwks, jwks_url: url, algorithm }: LegacyIssuer,
  { secrets, fetch = globalThis.fetch, now = Date.now, onReadFailed = () => {} }: IssuerKeyOptions,
): Promise<IssuerKey> {
  if (url !== undefined) return createRemoteKeys(url, createKeySetFetch({ fetch, now, onReadFailed }))
  if (jwks) {
    const keys = jwks.keys.map(({ d: _, ...key }): JWK => key)
    for (const key of keys) await requireUsable(key, algorithm, issuer)
    return createLocalJWKSet({ keys })
  }
  const secret = secrets[issuer]
  if (!secret) throw new Error(`no key of the issuer ${issuer}`)
  return secret
}

async function requireUsable(key: JWK, algorithm: string, issuer: string): Promise<void> {
  const place = `LEGACY_ISSUERS: jwks of ${JSON.stringify(issuer)}`
  let imported: CryptoKey | Uint8Array
  try {
    imported = await importJWK(key, algorithm)
  } catch {
    throw new ConfigError([`${place} must have keys that ${algorithm} can use`])
  }
  const { modulusLength = leastRsaBits } = (imported as CryptoKey).algorithm as { modulusLength?: number }
  if (modulusLength < leastRsaBits)
    throw new ConfigError([`${place} must have RSA keys of at least ${leastRsaBits} bits`])
}

/**
 * Rejects with a Problem `keys_unavailable` where the key set cannot be read: a token is not
 * invalid because the former system is down.
 */
function createRemoteKeys(url: string, fetchKeySet: ReturnType<typeof createKeySetFetch>): JWTVerifyGetKey {
  const find = createRemoteJWKSet(new URL(url), {
    timeoutDuration: fetchTimeoutMs,
    cooldownDuration: keySetPauseMs,
    cacheMaxAge: keySetAgeMs,
    [customFetch]: fetchKeySet,
  })
  return async function findKey(header, token) {
    try {
      return await find(header, token)
    } catch (cause) {
      if (tokenFaults.some((fault) => cause instanceof fault)) throw cause
      throw new Problem('keys_unavailable', { cause })
    }
  }
}

/**
 * Reads a key set of bounded size. After a failure the last one holds, so that the former system
 * may be down on the day of the switch, and the next read waits, whatever forged tokens ask for.
 */
function createKeySetFetch({ fetch, now, onReadFailed }: KeySetFetchOptions) {
  let failedAt: EpochMs = Number.NEGATIVE_INFINITY
  let known: { text: string; readAt: EpochMs } | undefined

  async function read(url: string, init: RequestInit): Promise<string> {
    const { status, body } = await fetch(url, init)
    if (status !== 200) throw new Error(`the key set answered ${status}`)
    const chunks: Uint8Array[] = []
    let length = 0
    for await (const chunk of body ?? []) {
      length += chunk.length
      if (length > longestKeySet) throw new Error(`the key set has more than ${longestKeySet} bytes`)
      chunks.push(chunk)
    }
    const text = Buffer.concat(chunks).toString('utf8')
    keySetSchema.parse(JSON.parse(text))
    return text
  }

  return async function fetchKeySet(url: string, init: RequestInit): Promise<Response> {
    try {
      if (now() - failedAt < retryMs) throw new Error('the last read of the key set has just failed')
      known = { text: await readOrNote(url, init), readAt: now() }
    } catch (error) {
      if (!known || now() - known.readAt > longestOutageMs) throw error
    }
    return new Response(known.text)
  }

  async function readOrNote(url: string, init: RequestInit): Promise<string> {
    try {
      return await read(url, init)
    } catch (error) {
      failedAt = now()
      onReadFailed(error)
      throw error
    }
  }
}
