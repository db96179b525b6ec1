import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { formatForeignHash } from './foreign/foreign-hash.ts'
import { readImportedHash } from './foreign/import-forms.ts'
import { createPasswordHasher, type PasswordHasher } from './hasher.ts'
import { createWorkerPool, type WorkerPool } from './worker-pool.ts'

const cost = 10
const higherCost = 11
const rounds = 5

/** Foreign hashes that take nearly no time, some, and as long as the bounds allow. */
const hashes = {
  'bcrypt of cost 10': `$2b$10$${'a'.repeat(53)}`,
  'argon2id of 8 KiB': `$argon2id$v=19$m=8,t=1,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`,
  'scrypt of 16 MiB': `$scrypt$ln=14,r=8,p=1$${'A'.repeat(22)}$${'A'.repeat(43)}`,
  'PBKDF2 of 100,000 iterations': `pbkdf2_sha256$100000$salt$${'A'.repeat(43)}`,
}

const arms: Record<string, string | null | undefined> = {
  'no account': undefined,
  'no password': null,
  ...Object.fromEntries(Object.entries(hashes).map(([name, text]) => [name, stored(text)])),
}

function stored(text: string) {
  const imported = readImportedHash(text)
  if (imported.kind === 'rejected') throw new Error(imported.reason)
  return formatForeignHash(imported.hash)
}

let pool: WorkerPool
let hasher: PasswordHasher
beforeAll(async () => {
  pool = createWorkerPool({ threads: 1, queue: 2 })
  hasher = await createPasswordHasher({ pool, digestKey: randomBytes(32), cost })
  arms['a native hash'] = await hasher.hash('correct horse battery')
})
afterAll(() => pool.close())

/**
 * The median of the processor time that a failure of each arm takes, as a share of that without an
 * account. Processor time, so that a busy machine does not blur it.
 */
async function failureTimes(matcher: PasswordHasher, password: string) {
  const times = new Map(Object.keys(arms).map((name) => [name, [] as number[]]))
  for (let round = 0; round <= rounds; round++) {
    for (const [name, hash] of Object.entries(arms)) {
      const before = process.cpuUsage()
      expect(await matcher.matches(password, hash)).toBe(false)
      const { user, system } = process.cpuUsage(before)
      // The first round warms up.
      if (round > 0) times.get(name)?.push(user + system)
    }
  }
  const median = (name: string) =>
    (times.get(name) ?? []).toSorted((a, b) => a - b)[Math.floor(rounds / 2)] ?? 0
  const base = median('no account')
  return { base, shares: Object.keys(arms).map((name) => ({ name, share: median(name) / base })) }
}

const alike = ({ share }: { share: number }) => share > 0.75 && share < 1.33

describe('a password that is wrong takes as long', { timeout: 120_000 }, () => {
  let base: number

  test('for unknown, native and foreign accounts', async () => {
    const failures = await failureTimes(hasher, 'not the right password')
    base = failures.base
    expect(failures.shares.filter((each) => !alike(each))).toEqual([])
  })

  // Both forms are compared with a foreign hash; that must not show either.
  test('for a password that is not in NFC, twice as long for each', async () => {
    const failures = await failureTimes(hasher, 'not the right passwo\u0308rd')
    expect(failures.shares.filter((each) => !alike(each))).toEqual([])
    expect(failures.base / base).toBeGreaterThan(1.5)
  })

  test('as IMPORTED_HASH_COST says, where that is higher', async () => {
    const options = { pool, digestKey: randomBytes(32), cost, importedCost: higherCost }
    const failures = await failureTimes(await createPasswordHasher(options), 'not the right password')
    expect(failures.shares.filter((each) => !alike(each))).toEqual([])
    expect(failures.base / base).toBeGreaterThan(1.5)
  })
})
