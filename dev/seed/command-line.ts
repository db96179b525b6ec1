import { parseArgs } from 'node:util'
import { UsageError } from '../../shared/node/cli.ts'

export const usage = `npm run seed -- --users COUNT [--force]

Fills the database at DATABASE_URL (that of a running npm start where none is set) with accounts u1 to uCOUNT and all that accounts
leave behind: subscriptions, sessions, login attempts, audit rows. What an earlier run added stays as it is; a larger
COUNT adds the rest. --force also where there are other accounts than these and the demo ones.
`

const maxUsers = 10_000_000

interface SeedOptions {
  users: number
  force: boolean
}

/** @throws UsageError */
export function parseCommandLine(args: string[]): SeedOptions {
  const { users, force } = parse(args)
  if (users === undefined) throw new UsageError('--users COUNT is missing')
  if (!/^[1-9]\d{0,7}$/.test(users) || Number(users) > maxUsers)
    throw new UsageError(`--users takes a number from 1 to ${maxUsers}`)
  return { users: Number(users), force }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      options: { users: { type: 'string' }, force: { type: 'boolean', default: false } },
    }).values
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}
