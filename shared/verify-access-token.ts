import { decodeProtectedHeader, type JWTPayload, errors as jose, jwtVerify } from 'jose'
import { accessTokenType, algorithm, clockLeewaySeconds } from './claims.ts'

/** Ours are around 1 kB; what is longer is not looked at. */
const longestToken = 8192
const longestKeyId = 64

/** Three parts in base64url: a JWS in compact form and nothing else. */
const compactJws = /^[\w-]+\.[\w-]+\.[\w-]+$/

const headerNames = new Set(['alg', 'kid', 'typ'])

interface Expectations {
  /** undefined where no key has this id. */
  findKey: (kid: string) => Promise<CryptoKey | undefined>
  issuer: string
  /** One of them, where there are several. */
  audience: string | string[]
  /** Milliseconds since 1970. */
  now: number
}

/**
 * What holds for an access token (RFC 9068) wherever it is presented, be it a user's or a service's. Which of the two it is, and what
 * else it must carry, is for the caller to check.
 *
 * @throws JOSEError for anything but a live token of ours for this audience; whatever `findKey` throws
 */
export async function verifyAccessToken(token: string, expected: Expectations): Promise<JWTPayload> {
  if (token.length > longestToken || !compactJws.test(token)) throw new jose.JWTInvalid('not a compact JWS')
  const { payload } = await jwtVerify(token, await findKey(token, expected.findKey), {
    algorithms: [algorithm],
    typ: accessTokenType,
    issuer: expected.issuer,
    audience: expected.audience,
    requiredClaims: ['exp', 'iat', 'sub', 'jti'],
    clockTolerance: clockLeewaySeconds,
    currentDate: new Date(expected.now),
  })
  return payload
}

async function findKey(token: string, find: Expectations['findKey']): Promise<CryptoKey> {
  const header = readHeader(token)
  // Headers that name or carry a key (jwk, jku, x5u) or an extension (crit) are never followed: RFC 8725, section 3.10.
  const foreign = Object.keys(header).find((name) => !headerNames.has(name))
  if (foreign) throw new jose.JWTInvalid(`header ${foreign}`)
  if (header.alg !== algorithm || typeof header.kid !== 'string' || header.kid.length > longestKeyId)
    throw new jose.JWTInvalid('alg or kid')
  const key = await find(header.kid)
  if (!key) throw new jose.JWKSNoMatchingKey()
  return key
}

function readHeader(token: string) {
  try {
    return decodeProtectedHeader(token)
  } catch (cause) {
    throw new jose.JWTInvalid('header', { cause })
  }
}
