import { base64url, decodeProtectedHeader, type JWTPayload } from 'jose'
import { type Awaitable, chain } from '../lib/async.ts'
import { memoizeByString } from '../lib/memoize-by-string.ts'
import type { EpochMs } from '../lib/time.ts'
import { accessTokenType, algorithm, clockLeewaySeconds, urlTokenType } from './claims.ts'
import type { VerifySignature } from './jwk.ts'

/** Longest accepted token; real ones have about 1 kB. */
export const maxTokenLength = 8192
const maxKeyIdLength = 64

/**
 * A JWS in compact form: three parts in base64url, the last the one spelling of a 64-byte ES256
 * signature.
 */
const compactJws = /^[\w-]+\.[\w-]+\.[\w-]{85}[AQgw]$/

const headerNames = new Set(['alg', 'kid', 'typ'])

type TokenType = typeof accessTokenType | typeof urlTokenType

interface Expectations {
  /** @default accessTokenType */
  type?: TokenType
  /** undefined where no key has this id. */
  findKey: (kid: string) => Awaitable<VerifySignature | undefined>
  issuer: string
  /** One of them, where there are several. */
  audience: string | string[]
  now: EpochMs
}

/** Reason why a string is not a valid access token. */
export type TokenFault =
  | 'not a compact JWS'
  | 'header'
  | 'foreign header'
  | 'alg or kid'
  | 'typ'
  | 'payload'
  | 'iss'
  | 'aud'
  | 'sub or jti'
  | 'exp, iat or nbf'
  | 'not valid yet'
  | 'expired'
  | 'no key has this kid'
  | 'signature'

/** A rejected token. The fault contains nothing of the token. */
export class TokenError extends Error {
  readonly fault: TokenFault

  constructor(fault: TokenFault) {
    super(fault)
    this.name = 'TokenError'
    this.fault = fault
  }
}

/**
 * A token that passed all checks without a key. Its content is untrusted before its signature is
 * verified.
 */
interface UnverifiedToken {
  kid: string
  /** The signed text, and the signature. */
  signed: string
  signature: string
  payload: JWTPayload
}

/**
 * Cheap checks before the signature check, which costs a hundred times as much. A token that is
 * only expired fails with `expired` and nothing else: that check is the last.
 *
 * @throws TokenError
 */
function readAccessToken(
  token: string,
  expected: Pick<Expectations, 'type' | 'issuer' | 'audience' | 'now'>,
): UnverifiedToken {
  if (token.length > maxTokenLength || !compactJws.test(token)) throw new TokenError('not a compact JWS')
  const headerEnd = token.indexOf('.')
  const payloadEnd = token.lastIndexOf('.')
  return {
    kid: keyIdReaders[expected.type ?? accessTokenType](token.slice(0, headerEnd)),
    signed: token.slice(0, payloadEnd),
    signature: token.slice(payloadEnd + 1),
    payload: requireClaims(decodeJson(token.slice(headerEnd + 1, payloadEnd)), expected),
  }
}

/**
 * Verifies an access token (RFC 9068) of a user or a service. The caller checks which of the two it
 * is, and what else it must carry.
 *
 * Throws or rejects with a TokenError unless the token is valid for this audience, or with what
 * `findKey` throws.
 */
export function verifyAccessToken(token: string, expected: Expectations): Awaitable<JWTPayload> {
  const { kid, signed, signature, payload } = readAccessToken(token, expected)
  return chain(expected.findKey(kid), (verify) => {
    if (!verify) throw new TokenError('no key has this kid')
    return chain(verify(signed, signature), (isGenuine) => {
      if (!isGenuine) throw new TokenError('signature')
      return payload
    })
  })
}

/** All tokens of one type and key have the same header. */
const keyIdReaders: Record<TokenType, (encodedHeader: string) => string> = {
  [accessTokenType]: memoizeByString((header) => readKeyId(header, accessTokenType)),
  [urlTokenType]: memoizeByString((header) => readKeyId(header, urlTokenType)),
}

function readKeyId(encodedHeader: string, type: TokenType): string {
  const header = readHeader(encodedHeader)
  // Headers that name or carry a key (jwk, jku, x5u) or an extension (crit) are never followed: RFC
  // 8725, section 3.10.
  const foreign = Object.keys(header).find((name) => !headerNames.has(name))
  if (foreign !== undefined) throw new TokenError('foreign header')
  if (header.alg !== algorithm || typeof header.kid !== 'string' || header.kid.length > maxKeyIdLength)
    throw new TokenError('alg or kid')
  if (header.typ !== type) throw new TokenError('typ')
  return header.kid
}

function readHeader(encodedHeader: string) {
  try {
    return decodeProtectedHeader(`${encodedHeader}..`)
  } catch {
    throw new TokenError('header')
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true })

function decodeJson(encoded: string): unknown {
  try {
    return JSON.parse(decoder.decode(base64url.decode(encoded)))
  } catch {
    throw new TokenError('payload')
  }
}

function requireClaims(
  payload: unknown,
  { issuer, audience, now }: Pick<Expectations, 'issuer' | 'audience' | 'now'>,
): JWTPayload {
  if (typeof payload !== 'object' || payload === null || Array.isArray(payload))
    throw new TokenError('payload')
  const { iss, aud, sub, jti, exp, iat, nbf = 0 } = payload as Record<string, unknown>
  const nowSeconds = Math.floor(now / 1000)
  if (iss !== issuer) throw new TokenError('iss')
  // RFC 9068 allows several audiences; one only is accepted, as another audience could replay the
  // token.
  if (typeof aud !== 'string' || ![audience].flat().includes(aud)) throw new TokenError('aud')
  if (typeof sub !== 'string' || typeof jti !== 'string') throw new TokenError('sub or jti')
  if (!isTime(exp) || !isTime(iat) || !isTime(nbf)) throw new TokenError('exp, iat or nbf')
  if (nbf - clockLeewaySeconds > nowSeconds) throw new TokenError('not valid yet')
  if (exp + clockLeewaySeconds <= nowSeconds) throw new TokenError('expired')
  return payload as JWTPayload
}

const isTime = (value: unknown): value is number => Number.isFinite(value)
