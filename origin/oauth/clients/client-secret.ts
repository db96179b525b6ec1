import { timingSafeEqual } from 'node:crypto'
import { hashToken, newOpaqueToken } from '../../opaque-token.ts'

/**
 * Compared with the secret of an unknown client, so that the comparison takes as long as a known
 * client's.
 */
const dummyHash = hashToken(newOpaqueToken())

/**
 * @param storedHash undefined where the client does not exist: takes the same time and returns
 * false
 */
export function secretMatches(secret: string, storedHash: Uint8Array | undefined): boolean {
  return timingSafeEqual(hashToken(secret), storedHash ?? dummyHash) && storedHash !== undefined
}
