import { createHmac, timingSafeEqual } from 'node:crypto'
import { newOpaqueToken } from '../opaque-token.ts'

/** 256 bits in base64url, and 66 bits of the tag. */
const secretLength = 43
const tagLength = 11

/**
 * Tokens of earlier versions have no tag; the last of them expires after REFRESH_TOKEN_SECONDS.
 */
const shape = new RegExp(`^[\\w-]{${secretLength}}(?:[\\w-]{${tagLength}})?$`)

/** Whether a token was issued with this key, by the token alone. */
export type RefreshTokenKind = 'issued' | 'untagged' | 'forged'

/**
 * Opaque refresh tokens of 256 bits and a tag. The first of a session is random; each successor is
 * derived from its predecessor with a key of the origin. A replay inside the grace window thus gets
 * the same successor, and no secret is stored.
 *
 * The tag tells issued tokens from forged ones without a query: a flood of forged tokens does not
 * reach the database.
 *
 * @param key 32 bytes
 */
export function createRefreshTokens(key: Uint8Array) {
  // A separate key (RFC 8725, section 3.1), so that a tag reveals nothing of a successor.
  const tagKey = createHmac('sha256', key).update('gatehouse refresh token tag').digest()

  const tagOf = (secret: string) =>
    createHmac('sha256', tagKey).update(secret).digest('base64url').slice(0, tagLength)

  const tagged = (secret: string) => secret + tagOf(secret)

  return {
    createFirst: () => tagged(newOpaqueToken()),

    successorOf: (token: string) => tagged(createHmac('sha256', key).update(token).digest('base64url')),

    kindOf(token: string): RefreshTokenKind {
      if (!shape.test(token)) return 'forged'
      if (token.length === secretLength) return 'untagged'
      const tag = Buffer.from(token.slice(secretLength))
      return timingSafeEqual(tag, Buffer.from(tagOf(token.slice(0, secretLength)))) ? 'issued' : 'forged'
    },
  }
}

export type RefreshTokens = ReturnType<typeof createRefreshTokens>
