import { timingSafeEqual } from 'node:crypto'
import { hashToken, newOpaqueToken } from '../../opaque-token.ts'

/**
 * Compared with the secret where there is no stored one, so that the comparison takes as long for
 * an unknown client, and for a client with one secret.
 */
const dummyHash = hashToken(newOpaqueToken())

interface StoredSecrets {
  secretHash: Uint8Array
  previousSecretHash: Uint8Array | null
}

/**
 * Tells which secret of a client this is. Both comparisons are made in any case, in constant time.
 *
 * @param stored undefined where the client does not exist
 * @returns undefined where it is none
 */
export function matchSecret(
  secret: string,
  stored: StoredSecrets | undefined,
): 'current' | 'previous' | undefined {
  const hash = hashToken(secret)
  const isCurrent = timingSafeEqual(hash, stored?.secretHash ?? dummyHash)
  const isPrevious = timingSafeEqual(hash, stored?.previousSecretHash ?? dummyHash)
  if (isCurrent && stored) return 'current'
  return isPrevious && stored?.previousSecretHash ? 'previous' : undefined
}
