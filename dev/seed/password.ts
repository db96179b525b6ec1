import { createHmac } from 'node:crypto'
import { createPasswordHasher } from '../../origin/passwords/hasher.ts'
import { createWorkerPool } from '../../origin/passwords/worker-pool.ts'

interface PasswordOptions {
  digestKey: Uint8Array
  /** bcrypt's log2 of rounds. */
  cost: number
}

/**
 * All seeded accounts' password and its hash. Drawn from the installation's own key: each run says
 * the same, no two machines do.
 */
export async function seedPassword({ digestKey, cost }: PasswordOptions) {
  const password = `seed-${createHmac('sha256', digestKey).update('password of seeded accounts').digest('base64url').slice(0, 16)}`
  const pool = createWorkerPool({ threads: 1, queue: 1 })
  try {
    const hasher = await createPasswordHasher({ pool, digestKey, cost })
    return { password, passwordHash: await hasher.hash(password) }
  } finally {
    await pool.close()
  }
}
