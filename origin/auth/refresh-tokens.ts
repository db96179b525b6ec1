import { createHash, randomBytes } from 'node:crypto'

/** 256 random bits, opaque to everybody. */
export function newRefreshToken(): string {
  return randomBytes(32).toString('base64url')
}

/** What is stored. A token is random through and through, so a plain digest is as good as a slow one. */
export function hashRefreshToken(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
