import { z } from 'zod'
import type { EpochMs } from '../lib/time.ts'

/**
 * What the origin tells every gateway: which tokens stopped being good before their time, by the
 * feed or by the stream.
 */

const revocationSchema = z.object({
  scope: z.enum(['session', 'user', 'role', 'plan']),
  /** The session's or the user's id, the role's or the plan's name. */
  subject: z.string().min(1).max(64),
  /**
   * Tokens made from a lower epoch of the subject are stale; null for a session, which has ended
   * whatever the token says.
   */
  epoch: z.int().min(0).nullable(),
  until: z.number(),
  at: z.number(),
})

export interface Revocation extends z.infer<typeof revocationSchema> {
  /** No token that this concerns is alive after it. */
  until: EpochMs
  /** When the cause began. */
  at: EpochMs
}

/** Where a gateway reads the feed. */
export const revocationFeedPath = '/internal/gateway/revocations'

/** `next` is the cursor to go on from. */
export const revocationFeedSchema = z.object({ entries: z.array(revocationSchema), next: z.string().min(1) })

export type RevocationFeed = z.infer<typeof revocationFeedSchema>

/**
 * What the names of the stream and of the keys beside it begin with. In a Redis Cluster they all
 * have one slot, by its braces: they are written in one transaction, and a node that lost one of
 * them lost what says that they are complete.
 */
export const revocationKeyPrefix = (keyPrefix: string, isCluster: boolean) =>
  isCluster ? `{${keyPrefix}revocations}` : keyPrefix

/** The stream in Redis. */
export const revocationStreamKey = (keyPrefix: string) => `${keyPrefix}revocations`

/**
 * What is in force in Redis, for gateways that keep nothing between requests: a key for each
 * subject holds the epoch from which its tokens are good, until the last one of before has run out.
 */
export const revocationKey = (keyPrefix: string, { scope, subject }: Pick<Revocation, 'scope' | 'subject'>) =>
  `${keyPrefix}revoked:${scope}:${subject}`

/** Stands for the epoch of a session that has ended: no token of it is made from one as high. */
export const endedEpoch = Number.MAX_SAFE_INTEGER

/**
 * The key that says that the others are complete. The origin renews it; without it nobody knows.
 */
export const revocationsCompleteKey = (keyPrefix: string) => `${keyPrefix}revoked`

/**
 * An entry as the fields of a stream's entry: names and values in turn, with no epoch where there
 * is none.
 */
export function toStreamFields({ scope, subject, epoch, until, at }: Revocation): string[] {
  const fields = ['scope', scope, 'subject', subject, 'until', String(until), 'at', String(at)]
  return epoch === null ? fields : [...fields, 'epoch', String(epoch)]
}

/** @returns undefined for what is no entry of ours */
export function fromStreamFields(fields: readonly string[]): Revocation | undefined {
  const named: Record<string, string> = {}
  for (let i = 0; i + 1 < fields.length; i += 2) named[fields[i] ?? ''] = fields[i + 1] ?? ''
  const { scope, subject, until, at, epoch } = named
  const read = revocationSchema.safeParse({
    scope,
    subject,
    until: Number(until),
    at: Number(at),
    epoch: epoch === undefined ? null : Number(epoch),
  })
  return read.success ? read.data : undefined
}
