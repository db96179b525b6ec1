import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import {
  type KeyDatabase,
  openKeyDatabase,
  operator,
  waits,
} from '../../test/support/database/key-database.ts'
import { createEncryption } from './encryption.ts'
import { createFirstKey } from './first-key.ts'
import { createKeyRing } from './key-ring.ts'
import { deleteRetiredKey, promotePublishedKey, retireSigningKey } from './queries.ts'

let keys: KeyDatabase
beforeAll(async () => {
  keys = await openKeyDatabase()
})
beforeEach(() => keys.clear())
afterAll(() => keys.close())

const wrongEncryption = () => createEncryption(randomBytes(32))

async function firstKey(): Promise<string> {
  const kid = await createFirstKey(keys.sql, keys.encryption)
  if (!kid) throw new Error('there was a key')
  return kid
}

async function successor(): Promise<string> {
  const kid = await keys.service.publishSuccessor(operator)
  if (!kid) throw new Error('there was a successor')
  return kid
}

const step = () => keys.service.takeStep(operator)

describe('a rotation', () => {
  test('goes from published to signing to gone, each step when its time has come, each with its audit row', async () => {
    const old = await firstKey()
    expect(await step()).toEqual([])

    await keys.pass(waits.signing - 1)
    expect(await step()).toEqual([])
    await keys.pass(1)
    const [published] = await step()
    const next = published?.kid ?? ''
    expect(await keys.states()).toEqual({ [old]: 'signing', [next]: 'published' })

    await keys.pass(waits.published - 1)
    expect(await step()).toEqual([])
    await keys.pass(1)
    await step()
    expect(await keys.states()).toEqual({ [old]: 'retiring', [next]: 'signing' })

    await keys.pass(waits.retiring - 1)
    expect(await step()).toEqual([])
    await keys.pass(1)
    await step()
    expect(await keys.states()).toEqual({ [next]: 'signing' })

    expect(await keys.audit()).toEqual([
      `key.published ${next}`,
      `key.retiring ${old}`,
      `key.signing ${next}`,
      `key.gone ${old}`,
    ])
  })

  test('begins at once on request, and not twice', async () => {
    const old = await firstKey()
    const next = await successor()
    expect(await keys.service.publishSuccessor(operator)).toBeUndefined()
    expect(await keys.states()).toEqual({ [old]: 'signing', [next]: 'published' })
    expect(await keys.audit()).toEqual([`key.published ${next}`])
  })

  // A clock that a replica got wrong, or a rule that was deployed wrong, is held by the WHERE.
  test('is guarded by the database, against replicas with stale state', async () => {
    const old = await firstKey()
    const next = await successor()
    const early = { successor: next, waitSeconds: waits.published }
    expect(await retireSigningKey(keys.sql, 'signing_keys', early)).toBeUndefined()
    expect(await deleteRetiredKey(keys.sql, 'signing_keys', { kid: old, waitSeconds: 0 })).toBe(false)
    await expect(promotePublishedKey(keys.sql, 'signing_keys', next)).rejects.toThrow('signing_keys_signing')
    expect(await promotePublishedKey(keys.sql, 'signing_keys', 'one-revoked-meanwhile')).toBeUndefined()
    expect(await keys.states()).toEqual({ [old]: 'signing', [next]: 'published' })

    await keys.pass(waits.published)
    await step()
    await keys.pass(waits.retiring - 1)
    const young = { kid: old, waitSeconds: waits.retiring }
    expect(await deleteRetiredKey(keys.sql, 'signing_keys', young)).toBe(false)
    expect(await keys.states()).toEqual({ [old]: 'retiring', [next]: 'signing' })
  })

  test('without a signing key: no key is created, on any request', async () => {
    expect(await step()).toEqual([])
    expect(await keys.service.publishSuccessor(operator)).toBeUndefined()
    expect(await keys.states()).toEqual({})
  })

  test('does not happen where its audit row cannot be written', async () => {
    const old = await firstKey()
    const next = await successor()
    await keys.pass(waits.published)
    await keys.sql`alter table audit_logs add constraint no_keys check (action <> 'key.signing')`
    try {
      await expect(step()).rejects.toThrow('no_keys')
      expect(await keys.states()).toEqual({ [old]: 'signing', [next]: 'published' })
      await expect(keys.service.revoke(old, { evenInUse: true }, operator)).rejects.toThrow('no_keys')
      expect(await keys.states()).toEqual({ [old]: 'signing', [next]: 'published' })
    } finally {
      await keys.sql`alter table audit_logs drop constraint no_keys`
    }
  })
})

describe('many replicas at once', () => {
  const replicas = Array.from({ length: 10 })

  /** All of them step; the events of all of them. */
  const stepTogether = async () =>
    (await Promise.all(replicas.map(() => keys.serviceWith(keys.encryption).takeStep(operator)))).flat()

  test('make one step of each, and one key signs at every moment', async () => {
    for (let round = 0; round < 10; round++) {
      await keys.clear()
      await firstKey()
      const seen: number[] = []
      let done = false
      const watching = (async () => {
        while (!done) {
          const [row] = await keys.sql`select count(*)::int as n from signing_keys where state = 'signing'`
          seen.push(row?.n)
        }
      })()

      await keys.pass(waits.signing)
      const published = await stepTogether()
      await keys.pass(waits.published)
      const signing = await stepTogether()
      await keys.pass(waits.retiring)
      const gone = await stepTogether()
      done = true
      await watching

      expect(published.map(({ action }) => action)).toEqual(['key.published'])
      expect(signing.map(({ action }) => action)).toEqual(['key.retiring', 'key.signing'])
      expect(gone.map(({ action }) => action)).toEqual(['key.gone'])
      expect(Object.values(await keys.states())).toEqual(['signing'])
      expect(await keys.audit()).toHaveLength(4)
      expect(new Set(seen)).toEqual(new Set([1]))
    }
  })

  test('and the command publish one successor', async () => {
    await firstKey()
    await keys.pass(waits.signing)
    const [made] = await Promise.all([
      Promise.all(replicas.map(() => keys.service.publishSuccessor(operator))),
      stepTogether(),
    ])
    expect(made.filter(Boolean).length).toBeLessThanOrEqual(1)
    expect(Object.values(await keys.states()).toSorted()).toEqual(['published', 'signing'])
    expect(await keys.audit()).toHaveLength(1)
  })

  // Two operators hear of the same leak while upkeep is at work.
  test('and revocations leave exactly one signing key, in any order', async () => {
    for (let round = 0; round < 20; round++) {
      await keys.clear()
      const old = await firstKey()
      const next = await successor()
      await keys.pass(waits.published)
      const revoke = (kid: string) => keys.service.revoke(kid, { evenInUse: true }, operator)
      await Promise.all([step(), revoke(old), revoke(next), step(), revoke(old)])
      const states = await keys.states()
      expect(Object.keys(states)).not.toContain(old)
      expect(Object.keys(states)).not.toContain(next)
      expect(Object.values(states)).toEqual(['signing'])
      const ring = await createKeyRing(keys.sql, keys.encryption)
      expect(Object.keys(states)).toEqual([ring.signing().kid])
    }
  })
})

describe('a revocation', () => {
  test('of the signing key: the published one signs at once', async () => {
    const old = await firstKey()
    const next = await successor()
    expect(await keys.service.revoke(old, { evenInUse: true }, operator)).toEqual({
      kind: 'revoked',
      state: 'signing',
      signing: next,
    })
    expect(await keys.states()).toEqual({ [next]: 'signing' })
    expect((await keys.audit()).slice(1)).toEqual([`key.revoked ${old}`, `key.signing ${next}`])
  })

  test('of the signing key where none is published: a new one signs at once', async () => {
    const old = await firstKey()
    const outcome = await keys.service.revoke(old, { evenInUse: true }, operator)
    const states = await keys.states()
    expect(Object.values(states)).toEqual(['signing'])
    expect(states).not.toHaveProperty(old)
    expect(outcome).toMatchObject({ kind: 'revoked', signing: Object.keys(states)[0] })
    const ring = await createKeyRing(keys.sql, keys.encryption)
    expect(ring.published().map(({ kid }) => kid)).toEqual(Object.keys(states))
  })

  test('of a published or a retiring key: it is gone, and the signing one signs on', async () => {
    const old = await firstKey()
    const abandoned = await successor()
    expect(await keys.service.revoke(abandoned, { evenInUse: false }, operator)).toMatchObject({
      kind: 'revoked',
      state: 'published',
    })
    const next = await successor()
    await keys.pass(waits.published)
    await step()
    await keys.service.revoke(old, { evenInUse: true }, operator)
    expect(await keys.states()).toEqual({ [next]: 'signing' })
  })

  test('of a key that signed live tokens is rejected until that is said', async () => {
    const old = await firstKey()
    const next = await successor()
    await keys.pass(waits.published)
    await step()
    for (const [kid, state] of [
      [old, 'retiring'],
      [next, 'signing'],
    ] as const)
      expect(await keys.service.revoke(kid, { evenInUse: false }, operator)).toEqual({
        kind: 'in_use',
        state,
      })
    expect(await keys.states()).toEqual({ [old]: 'retiring', [next]: 'signing' })
  })

  test('of an unknown key changes nothing', async () => {
    const kid = await firstKey()
    expect(await keys.service.revoke('no-such-key', { evenInUse: true }, operator)).toEqual({
      kind: 'unknown',
    })
    expect(await keys.states()).toEqual({ [kid]: 'signing' })
    expect(await keys.audit()).toEqual([])
  })
})

// A replica or an operator with the wrong variable must not store a key that no origin can decrypt.
describe('with another KEY_ENCRYPTION_KEY', () => {
  const refusal = 'KEY_ENCRYPTION_KEY does not decrypt the signing key in the database'

  test('nothing is published, promoted or revoked', async () => {
    const old = await firstKey()
    const wrong = keys.serviceWith(wrongEncryption())
    await expect(wrong.publishSuccessor(operator)).rejects.toThrow(refusal)
    await expect(wrong.revoke(old, { evenInUse: true }, operator)).rejects.toThrow(refusal)
    await keys.pass(waits.signing)
    await expect(wrong.takeStep(operator)).rejects.toThrow(refusal)

    const next = await successor()
    await keys.pass(waits.published)
    await expect(wrong.takeStep(operator)).rejects.toThrow(refusal)
    expect(await keys.states()).toEqual({ [old]: 'signing', [next]: 'published' })
  })
})
