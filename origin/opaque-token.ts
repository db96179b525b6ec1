import { createHash, randomBytes } from 'node:crypto'

/** A new secret: 256 random bits in base64url. */
export function newOpaqueToken(): string {
  return randomBytes(32).toString('base64url')
}

/**
 * The stored digest of a token. The token is random, so a fast digest is as safe as a slow one.
 */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
