import { createHmac, timingSafeEqual } from 'node:crypto'
import { newOpaqueToken } from '../opaque-token.ts'

/** 256 bits in base64url, and 66 bits of the tag. */
const secretLength = 43
const tagLength = 11

/**
 * A token without its tag is one of before there were tags: no older than REFRESH_TOKEN_SECONDS.
 */
const shape = new RegExp(`^[\\w-]{${secretLength}}(?:[\\w-]{${tagLength}})?$`)

/** Whether a text was issued here by this key, as far as the text itself can say. */
export type RefreshTokenKind = 'issued' | 'untagged' | 'made_up'

/**
 * Refresh tokens: 256 bits and a tag, opaque to everybody. The first of a session is random; each
 * next one is derived from the one before with a key that only the origin has. So a replay inside
 * the grace window is answered with the same successor, and no secret has to be stored for it.
 *
 * The tag tells what was issued here from what was made up, without a query: a flood of made-up
 * tokens need not reach the database.
 *
 * @param key 32 bytes
 */
export function createRefreshTokens(key: Uint8Array) {
  // A key of its own (RFC 8725, section 3.1), so that a tag tells nothing of a successor.
  const tagKey = createHmac('sha256', key).update('gatehouse refresh token tag').digest()

  const tagOf = (secret: string) =>
    createHmac('sha256', tagKey).update(secret).digest('base64url').slice(0, tagLength)

  const tagged = (secret: string) => secret + tagOf(secret)

  return {
    first: () => tagged(newOpaqueToken()),

    successorOf: (token: string) => tagged(createHmac('sha256', key).update(token).digest('base64url')),

    kindOf(token: string): RefreshTokenKind {
      if (!shape.test(token)) return 'made_up'
      if (token.length === secretLength) return 'untagged'
      const tag = Buffer.from(token.slice(secretLength))
      return timingSafeEqual(tag, Buffer.from(tagOf(token.slice(0, secretLength)))) ? 'issued' : 'made_up'
    },
  }
}

export type RefreshTokens = ReturnType<typeof createRefreshTokens>
