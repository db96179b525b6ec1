import * as z from 'zod'
import type { EpochMs } from '../lib/time.ts'

/**
 * Revocations that the origin publishes to gateways, by the feed and by the stream.
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
  /** Every token that this revokes has expired by then. */
  until: EpochMs
  /** When the change was made. */
  at: EpochMs
}

/** Path of the feed. */
export const revocationFeedPath = '/internal/gateway/revocations'

/** `next` is the cursor of the next read. */
export const revocationFeedSchema = z.object({ entries: z.array(revocationSchema), next: z.string().min(1) })

export type RevocationFeed = z.infer<typeof revocationFeedSchema>

/**
 * Prefix of the stream and the revocation keys. Its braces put them all into one slot of a Redis
 * Cluster: one pipeline writes them, and a node that loses some also loses the marker that says
 * that they are complete.
 */
export const revocationKeyPrefix = (keyPrefix: string, isCluster: boolean) =>
  isCluster ? `{${keyPrefix}revocations}` : keyPrefix

/** Key of the stream in Redis. */
export const revocationStreamKey = (keyPrefix: string) => `${keyPrefix}revocations`

/**
 * Revocation keys in Redis, for gateways without memory between requests: one key per subject holds
 * its lowest valid epoch, until the last older token has expired.
 */
export const revocationKey = (keyPrefix: string, { scope, subject }: Pick<Revocation, 'scope' | 'subject'>) =>
  `${keyPrefix}revoked:${scope}:${subject}`

/** Epoch of an ended session, higher than that of any token. */
export const endedEpoch = Number.MAX_SAFE_INTEGER

/**
 * Marks the revocation keys as complete. The origin renews it while it publishes, so gateways also
 * read it as a heartbeat of the publisher.
 */
export const completeMarkerKey = (keyPrefix: string) => `${keyPrefix}revoked`

/**
 * Fields of a stream entry, names and values in turn, without `epoch` if it is null.
 */
export function toStreamFields({ scope, subject, epoch, until, at }: Revocation): string[] {
  const fields = ['scope', scope, 'subject', subject, 'until', String(until), 'at', String(at)]
  return epoch === null ? fields : [...fields, 'epoch', String(epoch)]
}

/** @returns undefined for a malformed entry */
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
