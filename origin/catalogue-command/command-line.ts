import { parseArgs } from 'node:util'
import { UsageError } from '../../shared/node/cli.ts'

export const usage = `npm run catalogue -- show                     print the catalogue of the database, as a file
npm run catalogue -- diff FILE                say what FILE would change
npm run catalogue -- apply FILE [--dry-run]   make the database's roles, permissions, plans and features those of FILE

FILE is YAML (docs/catalogue.md). apply is one transaction: all of it or nothing. --dry-run is diff.
`

export type Command = { kind: 'show' } | { kind: 'diff' | 'apply'; file: string }

/** @throws UsageError */
export function parseCommand(args: readonly string[]): Command {
  const { values, positionals } = parse(args)
  const [kind, file, ...more] = positionals
  if (more.length > 0) throw new UsageError(`too many words: ${more.join(' ')}`)
  const isDryRun = values['dry-run']
  if (isDryRun && kind !== 'apply') throw new UsageError('--dry-run belongs to apply')
  switch (kind) {
    case 'show':
      if (file !== undefined) throw new UsageError('show takes no file')
      return { kind }
    case 'diff':
    case 'apply':
      if (file === undefined) throw new UsageError('FILE is missing')
      return { kind: isDryRun ? 'diff' : kind, file }
    default:
      throw new UsageError(kind === undefined ? 'say what to do' : `there is no ${kind}`)
  }
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: { 'dry-run': { type: 'boolean', default: false } },
    })
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}
