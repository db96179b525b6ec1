import { knownEmail } from '../../shared/lib/email.ts'
import { UsageError } from '../../shared/node/cli.ts'

export const usage = `npm run accounts -- role EMAIL ROLE   give an account a role, whatever it has now

ROLE is guest, user, subscriber, admin, superadmin, or another of the database's.
`

export interface Command {
  email: string
  role: string
}

/** @throws UsageError */
export function parseCommand([kind, email, role, ...more]: readonly string[]): Command {
  if (kind !== 'role') throw new UsageError(kind === undefined ? 'say what to do' : `there is no ${kind}`)
  if (email === undefined) throw new UsageError('EMAIL is missing')
  if (role === undefined) throw new UsageError('ROLE is missing')
  if (more.length > 0) throw new UsageError(`too many words: ${more.join(' ')}`)
  // Text that is not an address belongs to no account: the command reports that.
  return { email: knownEmail(email) ?? email, role }
}
