import bcrypt from 'bcryptjs'
import { fillRounds, fillSince, roundsOf } from './foreign/fill.ts'
import { readForeignHash } from './foreign/foreign-hash.ts'
import { verifyForeignHash } from './foreign/verify.ts'

export function hash({ digest, cost }: { digest: string; cost: number }): string {
  return bcrypt.hashSync(digest, cost)
}

/** Every comparison that fails takes as long as `times` bcrypts of `cost`. */
interface FailureTime {
  cost: number
  times: number
}

export function compare({
  digest,
  stored,
  failure,
}: {
  digest: string
  stored: string
  failure: FailureTime
}): boolean {
  const isSame = bcrypt.compareSync(digest, stored)
  if (!isSame) fillRounds(failure.times * roundsOf(failure.cost), roundsOf(bcrypt.getRounds(stored)))
  return isSame
}

/** @param texts forms of the password that the other system may have hashed */
export function compareForeign({
  texts,
  stored,
  failure,
}: {
  texts: readonly string[]
  stored: string
  failure: FailureTime
}): boolean {
  const startedAt = performance.now()
  const hash = readForeignHash(stored)
  for (const text of texts) if (verifyForeignHash(text, hash)) return true
  const target = failure.times * roundsOf(failure.cost)
  if (hash.scheme === 'bcrypt') fillRounds(target, texts.length * roundsOf(hash.cost))
  else fillSince(target, startedAt)
  return false
}
