import { type AuditAction, insertAuditRow } from '../audit/queries.ts'
import type { Sql, Transaction } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Encryption } from './encryption.ts'
import {
  deleteKey,
  deleteRetiredKey,
  insertFirstSigningKey,
  insertPublishedKey,
  lockSigningKeyForUpdate,
  promotePublishedKey,
  retireSigningKey,
  type StoredKey,
  selectKeys,
  selectNow,
} from './queries.ts'
import { type KeyState, type KeyWaits, nextStep } from './rules.ts'
import { decryptKey, newKey } from './stored-key.ts'

interface KeyServiceOptions {
  sql: Sql
  encryption: Encryption
  waits: KeyWaits
}

/** What happened to a key; each is an audit row in the transaction of its cause. */
export interface KeyEvent {
  action: Extract<AuditAction, `key.${string}`>
  kid: string
  /** Why, where it was not simply time. */
  reason?: string
}

export type Revocation =
  /** `signing` is the key that took over, where it was the one that signed. */
  | { kind: 'revoked'; state: KeyState; signing: string | undefined }
  /** It has signed tokens that live, and `evenInUse` was not said. */
  | { kind: 'in_use'; state: KeyState }
  | { kind: 'unknown' }

export type KeyService = ReturnType<typeof createKeyService>

/** Another replica's step, or a revocation, came in between: what this one began is rolled back. */
class OvertakenError extends Error {}

/**
 * Moves keys from state to state. Each step is guarded in its WHERE by the state and by the time in
 * it, and touches the signing key's row first, so that any number of replicas and commands make
 * each step once: who comes second waits for that row, and finds nothing left to do. One key signs
 * at any time, which a unique index holds, and two would have to change in one commit for it to be
 * none.
 */
export function createKeyService({ sql, encryption, waits }: KeyServiceOptions) {
  async function record(
    transaction: Transaction,
    context: RequestContext,
    ...events: KeyEvent[]
  ): Promise<KeyEvent[]> {
    for (const { action, ...details } of events)
      await insertAuditRow(transaction, { action, actorId: null, userId: null, context, details })
    return events
  }

  /**
   * A process that cannot decrypt the current signing key must not encrypt the next one: no origin
   * could decrypt it.
   */
  function requireDecryptable(key: StoredKey | undefined): void {
    if (key) decryptKey(encryption, key)
  }

  async function publish(
    keys: StoredKey[],
    forSeconds: number,
    context: RequestContext,
  ): Promise<KeyEvent[]> {
    requireDecryptable(keys.find(({ state }) => state === 'signing'))
    const key = await newKey(encryption)
    return sql.begin(async (transaction) => {
      if (!(await lockSigningKeyForUpdate(transaction, forSeconds))) return []
      if (!(await insertPublishedKey(transaction, key))) return []
      return record(transaction, context, { action: 'key.published', kid: key.kid })
    })
  }

  async function sign(keys: StoredKey[], successor: string, context: RequestContext): Promise<KeyEvent[]> {
    requireDecryptable(keys.find(({ kid }) => kid === successor))
    try {
      return await sql.begin(async (transaction) => {
        const retired = await retireSigningKey(transaction, { successor, waitSeconds: waits.published })
        if (!retired) return []
        if (!(await promotePublishedKey(transaction, successor))) throw new OvertakenError()
        return record(
          transaction,
          context,
          { action: 'key.retiring', kid: retired },
          { action: 'key.signing', kid: successor },
        )
      })
    } catch (error) {
      if (error instanceof OvertakenError) return []
      throw error
    }
  }

  function remove(kid: string, context: RequestContext): Promise<KeyEvent[]> {
    return sql.begin(async (transaction) => {
      if (!(await deleteRetiredKey(transaction, { kid, waitSeconds: waits.retiring }))) return []
      return record(transaction, context, { action: 'key.gone', kid })
    })
  }

  return {
    /**
     * Makes the step that is due, if one is.
     *
     * @returns what happened; nothing where nothing was due, or another replica was first
     * @throws KeyDecryptionError where KEY_ENCRYPTION_KEY is not the one of the key concerned
     */
    async takeStep(context: RequestContext): Promise<KeyEvent[]> {
      const keys = await selectKeys(sql)
      const step = nextStep(keys, await selectNow(sql), waits)
      switch (step.kind) {
        case 'wait':
          return []
        case 'publish':
          return publish(keys, waits.signing, context)
        case 'sign':
          return sign(keys, step.kid, context)
        case 'remove':
          return remove(step.kid, context)
      }
    },

    /**
     * Begins a rotation whatever the signing key's age.
     *
     * @returns the successor's kid; undefined where one is published already, or no key signs
     * @throws KeyDecryptionError
     */
    async publishSuccessor(context: RequestContext): Promise<string | undefined> {
      const [event] = await publish(await selectKeys(sql), 0, context)
      return event?.kid
    },

    /**
     * Deletes a key at once. Where it was the one that signs, the published key signs from this
     * commit on, or a new one where none is.
     *
     * Its tokens end thus: origins follow within `keyUpkeepSeconds`, and a gateway reads the key
     * set again within JWKS_CACHE_SECONDS of that, from when on it refuses a token it has not seen.
     * One that it verified before is believed for another JWKS_CACHE_SECONDS at the most. Longer
     * lives every token while the gateway cannot read the origin's key set (a day). So after a leak
     * origins are restarted, then gateways: docs/runbooks/keys.md.
     *
     * Meanwhile new tokens may be answered 401: for `keyUpkeepSeconds` replicas sign with the old
     * key or show a key set without the new one, and a gateway that met an unknown key pauses up to
     * 10 s before it reads again.
     *
     * @param evenInUse also a key that signed tokens which live
     * @throws KeyDecryptionError, before anything is changed
     */
    async revoke(
      kid: string,
      { evenInUse }: { evenInUse: boolean },
      context: RequestContext,
    ): Promise<Revocation> {
      const keys = await selectKeys(sql)
      for (const key of keys) if (key.state !== 'retiring') requireDecryptable(key)
      const spare = await newKey(encryption)
      const states: KeyState[] = evenInUse ? ['published', 'signing', 'retiring'] : ['published']

      const revoked = await sql.begin(async (transaction): Promise<Revocation | undefined> => {
        const state = await deleteKey(transaction, kid, states)
        if (!state) return undefined
        await record(transaction, context, { action: 'key.revoked', kid, reason: `was ${state}` })
        if (state !== 'signing') return { kind: 'revoked', state, signing: undefined }
        const promoted = await promotePublishedKey(transaction)
        const signing =
          promoted ?? ((await insertFirstSigningKey(transaction, spare)) ? spare.kid : undefined)
        if (signing)
          await record(transaction, context, { action: 'key.signing', kid: signing, reason: 'revocation' })
        return { kind: 'revoked', state, signing }
      })
      if (revoked) return revoked
      const found = keys.find((key) => key.kid === kid)
      return found && !evenInUse ? { kind: 'in_use', state: found.state } : { kind: 'unknown' }
    },
  }
}
