import { UnavailableError } from '../../shared/node/cli.ts'
import { isDatabaseUnavailable } from './failures.ts'

/**
 * Runs a command's work on the database.
 *
 * @throws UnavailableError where the database cannot be reached, and what the work throws
 */
export async function requireReachable<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work()
  } catch (error) {
    if (!isDatabaseUnavailable(error)) throw error
    throw new UnavailableError(`The database at DATABASE_URL cannot be reached: ${error}`, { cause: error })
  }
}
