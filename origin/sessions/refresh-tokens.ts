import { createHmac } from 'node:crypto'
import { newOpaqueToken } from '../opaque-token.ts'

/**
 * Refresh tokens: 256 bits, opaque to everybody. The first of a session is random; each next one is derived from the one before
 * with a key that only the origin has. So a replay inside the grace window is answered with the same successor, and no
 * secret has to be stored for it.
 *
 * @param key 32 bytes
 */
export function createRefreshTokens(key: Uint8Array) {
  return {
    first: newOpaqueToken,
    successorOf: (token: string) => createHmac('sha256', key).update(token).digest('base64url'),
  }
}

export type RefreshTokens = ReturnType<typeof createRefreshTokens>
