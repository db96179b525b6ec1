import { createHmac } from 'node:crypto'
import bcrypt from 'bcryptjs'
import { Piscina } from 'piscina'
import { Problem } from '../../shared/errors.ts'
import type * as worker from './password-worker.ts'

/** How piscina words it; it has no code to tell its errors by. */
const queueFull = 'Task queue is at limit'

interface PasswordHasherOptions {
  /** 32 bytes. */
  digestKey: Uint8Array
  /** bcrypt's log2 of rounds. */
  cost: number
  /** Threads that hash. */
  threads: number
  /** Hashes that may wait for a thread; beyond that they are refused. */
  queue: number
}

export type PasswordHasher = Awaited<ReturnType<typeof createPasswordHasher>>

/**
 * Hashes passwords on threads of their own: one bcrypt of cost 12 takes most of a second, which the event loop does not have.
 *
 * Both functions throw Problem `overloaded` where the queue is full, so that a flood of logins is shed instead of served late.
 */
export async function createPasswordHasher({ digestKey, cost, threads, queue }: PasswordHasherOptions) {
  const pool = new Piscina({
    filename: new URL('./password-worker.ts', import.meta.url).href,
    minThreads: 1,
    maxThreads: threads,
    maxQueue: queue,
    idleTimeout: 60_000,
  })

  /**
   * bcrypt reads 72 bytes and stops at a zero byte; a keyed digest first lets every byte of a long password count, and makes
   * a stolen table useless without the key. NFC, so that one password typed on two keyboards is one password (SP 800-63B-4).
   */
  function digest(password: string): string {
    return createHmac('sha256', digestKey).update(password.normalize('NFC')).digest('base64')
  }

  async function run<Name extends keyof typeof worker>(
    name: Name,
    task: Parameters<(typeof worker)[Name]>[0],
  ): Promise<ReturnType<(typeof worker)[Name]>> {
    try {
      return await pool.run(task, { name })
    } catch (cause) {
      if (cause instanceof Error && cause.message === queueFull) throw new Problem('overloaded', { cause })
      throw cause
    }
  }

  /** What an unknown account's password is compared with, so that it takes as long as a known one's. */
  const nobodysHash = await bcrypt.hash(digest(crypto.randomUUID()), cost)

  return {
    hash: (password: string) => run('hash', { digest: digest(password), cost }),

    /** @param storedHash undefined where there is no such account: takes the same time and is false */
    async matches(password: string, storedHash: string | undefined): Promise<boolean> {
      const same = await run('compare', { digest: digest(password), stored: storedHash ?? nobodysHash })
      return same && storedHash !== undefined
    },

    close: () => pool.close(),
  }
}
