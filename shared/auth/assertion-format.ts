import { base64url } from 'jose'
import type { EpochSeconds } from '../lib/time.ts'
import { algorithm, type Identity } from './claims.ts'

export const assertionIssuer = 'gatehouse-gateway'
export const assertionType = 'gatehouse-assertion+jwt'

/** Bytes that base64url encodes by themselves: parts of this multiple can be encoded apart. */
const base64Group = 3

const encoder = new TextEncoder()

const encodeText = (text: string) => base64url.encode(encoder.encode(text))

/** The claims of an identity that few others have. All other claims follow from role and plan. */
const personal = ({ sub, sid, jti, email, auth_time }: Identity) => ({ sub, sid, jti, email, auth_time })

export function sharedClaimsOf({ sub, sid, jti, email, auth_time, ...shared }: Identity) {
  return shared
}

export type SharedClaims = ReturnType<typeof sharedClaimsOf>

/** The first part of the JWT, with the dot that ends it. */
export const encodeAssertionHeader = (kid: string): string =>
  `${encodeText(JSON.stringify({ alg: algorithm, kid, typ: assertionType }))}.`

/**
 * The beginning of an assertion's payload in base64url: what differs from user to user. It ends
 * inside the member `user`, with spaces that fill the last group of bytes.
 *
 * @param user null on a public route
 */
export function encodePersonalPart(
  user: Identity | null,
  issuedAt: EpochSeconds,
  expiresAt: EpochSeconds,
): string {
  const claims = { iat: issuedAt, exp: expiresAt, ...(user && { user: personal(user) }) }
  // Without the braces that the shared part closes.
  const open = JSON.stringify(claims).slice(0, user ? -2 : -1)
  const bytes = encoder.encode(`${open},  `)
  return base64url.encode(bytes.subarray(0, bytes.length - (bytes.length % base64Group)))
}

/** The rest of an assertion's payload: equal for all users with the same shared claims. */
export function encodeSharedPart(shared: SharedClaims | null, audience: string): string {
  const user = shared ? JSON.stringify(shared).slice(1) : '"user":null'
  return encodeText(`${user},${JSON.stringify({ iss: assertionIssuer, aud: audience }).slice(1)}`)
}
