import { createHash, randomBytes } from 'node:crypto'

/** A secret that is handed out once: 256 random bits, in base64url. */
export function newOpaqueToken(): string {
  return randomBytes(32).toString('base64url')
}

/**
 * What is stored of it. It is random through and through, so a fast digest is as good as a slow
 * one.
 */
export function hashToken(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}
