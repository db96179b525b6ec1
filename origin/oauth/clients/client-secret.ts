import { timingSafeEqual } from 'node:crypto'
import { hashToken, newOpaqueToken } from '../../opaque-token.ts'

/** What an unknown client's secret is compared with, so that it takes as long as a known one's. */
const dummyHash = hashToken(newOpaqueToken())

/** @param storedHash undefined where there is no such client: takes the same time and is false */
export function secretMatches(secret: string, storedHash: Uint8Array | undefined): boolean {
  return timingSafeEqual(hashToken(secret), storedHash ?? dummyHash) && storedHash !== undefined
}
