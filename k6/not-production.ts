import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'

/** Load tests create accounts that share one password, and kill what they run against. */
export class ProductionError extends Error {
  constructor(place: string) {
    super(
      `NODE_ENV is production in ${place}: load tests start services of their own, and only where none is in production.`,
    )
    this.name = 'ProductionError'
  }
}

/**
 * Reads NODE_ENV as the services do: the environment over `.env`.
 *
 * @throws ProductionError
 */
export function requireNoProduction(): void {
  const given = process.env.NODE_ENV
  if (given === 'production') throw new ProductionError('the environment')
  if (given || !existsSync('.env')) return
  if (parseEnv(readFileSync('.env', 'utf8')).NODE_ENV === 'production')
    throw new ProductionError(resolve('.env'))
}
