import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import {
  type KeyDatabase,
  openKeyDatabase,
  operator,
  waits,
} from '../../test/support/database/key-database.ts'
import { createFirstKey } from './first-key.ts'
import { createKeyRing, type KeyRing } from './key-ring.ts'
import { startKeyUpkeep } from './upkeep.ts'

let keys: KeyDatabase
let ring: KeyRing
let old: string | undefined
const started: { stop: () => Promise<void> }[] = []
beforeAll(async () => {
  keys = await openKeyDatabase()
})
beforeEach(async () => {
  await keys.clear()
  old = await createFirstKey(keys.sql, keys.encryption)
  ring = await createKeyRing(keys.sql, keys.encryption)
})
afterEach(async () => {
  for (const upkeep of started.splice(0)) await upkeep.stop()
})
afterAll(() => keys.close())

function start() {
  const { log, lines } = createCapturedLog('origin')
  const upkeep = startKeyUpkeep({ takeStep: keys.service.takeStep, ring, intervalMs: 5, log })
  started.push(upkeep)
  return { ...upkeep, lines }
}

const soon = { interval: 5, timeout: 5000 }

describe('key upkeep', () => {
  test('rotates by itself from an old key to a new one, logs each step and signs with the new key', async () => {
    const { lines } = start()
    await keys.pass(waits.signing)
    await vi.waitFor(() => expect(ring.published()).toHaveLength(2), soon)
    expect(ring.signing().kid).toBe(old)
    await keys.pass(waits.published)
    await vi.waitFor(() => expect(ring.signing().kid).not.toBe(old), soon)
    expect(ring.published()).toHaveLength(2)
    await keys.pass(waits.retiring)
    await vi.waitFor(() => expect(ring.published()).toHaveLength(1), soon)
    const next = ring.signing().kid
    expect(lines.map(({ msg, action, kid }) => ({ msg, action, kid }))).toEqual(
      [
        ['key.published', next],
        ['key.retiring', old],
        ['key.signing', next],
        ['key.gone', old],
      ].map(([action, kid]) => ({ msg: 'signing key step', action, kid })),
    )
    const by = await keys.sql`select distinct user_agent from audit_logs`
    expect(by).toEqual([{ user_agent: 'key upkeep' }])
  })

  test("follows another replica's step", async () => {
    start()
    const next = await keys.service.publishSuccessor(operator)
    await vi.waitFor(() => expect(ring.published().map(({ kid }) => kid)).toEqual([old, next]), soon)
  })

  // A step that fails must not leave this replica blind to those of the others.
  test('reads the keys although its step failed, logs that, and repeats the step later', async () => {
    await keys.sql`alter table audit_logs add constraint no_signing check (action <> 'key.signing')`
    const next = await keys.service.publishSuccessor(operator)
    await keys.pass(waits.published)
    const { lines } = start()
    await vi.waitFor(() => expect(ring.published()).toHaveLength(2), soon)
    expect(lines).toContainEqual(expect.objectContaining({ level: 'error', msg: 'signing key step failed' }))
    await keys.sql`alter table audit_logs drop constraint no_signing`
    await vi.waitFor(() => expect(ring.signing().kid).toBe(next), soon)
  })

  test('never makes a first key, and signs on with the one it knows', async () => {
    await keys.clear()
    const { lines } = start()
    await vi.waitFor(
      () => expect(lines).toContainEqual(expect.objectContaining({ msg: 'signing keys not read' })),
      soon,
    )
    expect(await keys.states()).toEqual({})
    expect(ring.signing().kid).toBe(old)
  })

  test('does nothing after its stop', async () => {
    const { stop } = start()
    await stop()
    await keys.pass(waits.signing)
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(Object.values(await keys.states())).toEqual(['signing'])
  })
})
