import { type AuditAction, insertAuditRow } from '../audit/queries.ts'
import type { Sql, Transaction } from '../db/types.ts'
import type { RequestContext } from '../http/request-context.ts'
import type { Encryption } from './encryption.ts'
import {
  deleteKey,
  deleteRetiredKey,
  insertFirstSigningKey,
  insertPublishedKey,
  type KeyTable,
  lockSigningKeyForUpdate,
  promotePublishedKey,
  retireSigningKey,
  type StoredKey,
  selectKeys,
  selectNow,
} from './queries.ts'
import { auditOf, type KeyState, type KeyWaits, nextStep } from './rules.ts'
import { decryptKey, newKey } from './stored-key.ts'

interface KeyServiceOptions {
  sql: Sql
  encryption: Encryption
  waits: KeyWaits
  table?: KeyTable
}

/** A step in the life of a key; the transaction of the step writes it to the audit log. */
export interface KeyEvent {
  action: Extract<AuditAction, `key.${string}`>
  kid: string
  /** The reason, where it was not the age of the key. */
  reason?: string
}

export type Revocation =
  /** `signing` is the successor, where the revoked key was the one that signed. */
  | { kind: 'revoked'; state: KeyState; signing: string | undefined }
  /** The key has signed live tokens, and `evenInUse` is false. */
  | { kind: 'in_use'; state: KeyState }
  | { kind: 'unknown' }

export type KeyService = ReturnType<typeof createKeyService>

/** Another replica's step or a revocation was first: this step is rolled back. */
class OvertakenError extends Error {}

/**
 * Moves keys from state to state. The WHERE of each step checks the state and its age, and each
 * step locks the signing key's row first: replicas and commands take each step once, as the second
 * waits for that row and finds nothing to do. A unique index allows one signing key; a step
 * replaces it within one commit, so that there is always one.
 */
export function createKeyService({ sql, encryption, waits, table = 'signing_keys' }: KeyServiceOptions) {
  async function record(
    transaction: Transaction,
    context: RequestContext,
    ...events: KeyEvent[]
  ): Promise<KeyEvent[]> {
    for (const { action, ...event } of events) {
      const details = { ...event, ...auditOf(table) }
      await insertAuditRow(transaction, { action, actorId: null, userId: null, context, details })
    }
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
      if (!(await lockSigningKeyForUpdate(transaction, table, forSeconds))) return []
      if (!(await insertPublishedKey(transaction, table, key))) return []
      return record(transaction, context, { action: 'key.published', kid: key.kid })
    })
  }

  async function sign(keys: StoredKey[], successor: string, context: RequestContext): Promise<KeyEvent[]> {
    requireDecryptable(keys.find(({ kid }) => kid === successor))
    try {
      return await sql.begin(async (transaction) => {
        const retired = await retireSigningKey(transaction, table, {
          successor,
          waitSeconds: waits.published,
        })
        if (!retired) return []
        if (!(await promotePublishedKey(transaction, table, successor))) throw new OvertakenError()
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
      if (!(await deleteRetiredKey(transaction, table, { kid, waitSeconds: waits.retiring }))) return []
      return record(transaction, context, { action: 'key.gone', kid })
    })
  }

  return {
    /**
     * Takes the step that is due, if any.
     *
     * @returns the events; empty where no step was due or another replica was first
     * @throws KeyDecryptionError where KEY_ENCRYPTION_KEY does not decrypt the key concerned
     */
    async takeStep(context: RequestContext): Promise<KeyEvent[]> {
      const keys = await selectKeys(sql, table)
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
     * Starts a rotation at any age of the signing key.
     *
     * @returns the successor's kid; undefined where a published key exists or no key signs
     * @throws KeyDecryptionError
     */
    async publishSuccessor(context: RequestContext): Promise<string | undefined> {
      const [event] = await publish(await selectKeys(sql, table), 0, context)
      return event?.kid
    },

    /**
     * Deletes a key at once. Where it was the signing key, the published key signs from this commit
     * on, or a new key where none is published.
     *
     * Its tokens end in steps. Origins follow within `keyUpkeepSeconds`. A gateway reads the key
     * set again within JWKS_CACHE_SECONDS of that and then rejects tokens that it has not seen; it
     * trusts tokens verified before for at most another JWKS_CACHE_SECONDS. A gateway that cannot
     * read the key set accepts all of them for up to a day. After a leak restart the origins, then
     * the gateways: docs/runbooks/keys.md.
     *
     * New tokens may get 401 meanwhile: for `keyUpkeepSeconds` replicas sign with the old key or
     * serve a key set without the new one, and after an unknown key a gateway waits up to 10 s
     * before it reads again.
     *
     * @param evenInUse deletes a key that has signed live tokens, too
     * @throws KeyDecryptionError, before any change
     */
    async revoke(
      kid: string,
      { evenInUse }: { evenInUse: boolean },
      context: RequestContext,
    ): Promise<Revocation> {
      const keys = await selectKeys(sql, table)
      for (const key of keys) if (key.state !== 'retiring') requireDecryptable(key)
      const spare = await newKey(encryption)
      const states: KeyState[] = evenInUse ? ['published', 'signing', 'retiring'] : ['published']

      const revoked = await sql.begin(async (transaction): Promise<Revocation | undefined> => {
        const state = await deleteKey(transaction, table, kid, states)
        if (!state) return undefined
        await record(transaction, context, { action: 'key.revoked', kid, reason: `was ${state}` })
        if (state !== 'signing') return { kind: 'revoked', state, signing: undefined }
        const promoted = await promotePublishedKey(transaction, table)
        const signing =
          promoted ?? ((await insertFirstSigningKey(transaction, spare, table)) ? spare.kid : undefined)
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
