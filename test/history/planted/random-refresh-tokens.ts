import { createRefreshTokens as createOriginal } from '../../../origin/sessions/refresh-tokens.ts'

/** Successors at random, as of a rotation that does not derive them. */
export function createRefreshTokens(key: Uint8Array) {
  const original = createOriginal(key)
  return { ...original, successorOf: original.createFirst }
}
