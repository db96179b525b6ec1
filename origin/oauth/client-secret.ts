import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/** 256 random bits. */
export function newClientSecret(): string {
  return randomBytes(32).toString('base64url')
}

/** What is stored. A secret is random through and through, so a plain digest is as good as a slow one. */
export function hashClientSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}

/** What an unknown client's secret is compared with, so that it takes as long as a known one's. */
const nobodysHash = hashClientSecret(newClientSecret())

/** @param storedHash undefined where there is no such client: takes the same time and is false */
export function secretMatches(secret: string, storedHash: Uint8Array | undefined): boolean {
  return timingSafeEqual(hashClientSecret(secret), storedHash ?? nobodysHash) && storedHash !== undefined
}
