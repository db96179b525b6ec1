import { parseArgs } from 'node:util'
import { knownEmail } from '../../shared/lib/email.ts'
import { UsageError } from '../../shared/node/cli.ts'
import type { ImportCommand } from '../import/run-import.ts'

export const usage = `npm run accounts -- role EMAIL ROLE   give an account a role, whatever it has now
npm run accounts -- import FILE [--dry-run] [--allow-role ROLE]
                                      import accounts of another system (docs/migration.md)

ROLE is guest, user, subscriber, admin, superadmin, or another of the database's.
FILE is NDJSON, also compressed by gzip, or - for standard input. --dry-run says what would happen and writes
nothing. --allow-role lets the file give a role above subscriber; it may be repeated.
`

export type Command = RoleCommand | ImportCommand

export interface RoleCommand {
  kind: 'role'
  email: string
  role: string
}

/** @throws UsageError */
export function parseCommand([kind, ...args]: readonly string[]): Command {
  switch (kind) {
    case 'role':
      return parseRole(args)
    case 'import':
      return parseImport(args)
    default:
      throw new UsageError(kind === undefined ? 'say what to do' : `there is no ${kind}`)
  }
}

function parseRole([email, role, ...more]: readonly string[]): RoleCommand {
  if (email === undefined) throw new UsageError('EMAIL is missing')
  if (role === undefined) throw new UsageError('ROLE is missing')
  if (more.length > 0) throw new UsageError(`too many words: ${more.join(' ')}`)
  // Text that is not an address belongs to no account: the command reports that.
  return { kind: 'role', email: knownEmail(email) ?? email, role }
}

function parseImport(args: readonly string[]): ImportCommand {
  const { values, positionals } = parseOptions(args)
  const [file, ...more] = positionals
  if (file === undefined) throw new UsageError('FILE is missing')
  if (more.length > 0) throw new UsageError(`too many words: ${more.join(' ')}`)
  return { kind: 'import', file, isDryRun: values['dry-run'], allowedRoles: values['allow-role'] }
}

function parseOptions(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        'dry-run': { type: 'boolean', default: false },
        'allow-role': { type: 'string', multiple: true, default: [] },
      },
    })
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}
