import { parseArgs } from 'node:util'
import { UsageError } from '../../../shared/node/cli.ts'
import { evaluateClientId } from './client-id.ts'
import { isScope, type Scope, scopes } from './scopes.ts'

export const usage = `npm run clients -- create NAME --scope SCOPE [--scope SCOPE ...]   make a client, show its secret once
npm run clients -- list                                            show the clients
npm run clients -- rotate NAME                                     give it a new secret, the old one is void
npm run clients -- disable NAME                                    let it in no more

Scopes:
${Object.entries(scopes)
  .map(([name, meaning]) => `  ${name.padEnd(22)}${meaning}`)
  .join('\n')}
`

export type Command =
  | { kind: 'create'; id: string; scopes: Scope[] }
  | { kind: 'rotate' | 'disable'; id: string }
  | { kind: 'list' }

/** @throws UsageError */
export function parseCommand(args: string[]): Command {
  const { values, positionals } = parse(args)
  const [kind, id, ...more] = positionals
  if (more.length > 0) throw new UsageError(`too many words: ${more.join(' ')}`)
  if (kind !== 'create' && values.scope.length > 0)
    throw new UsageError('--scope belongs to create: to change the scopes of a client, make another')
  switch (kind) {
    case 'create':
      return { kind, id: requireName(id), scopes: requireScopes(values.scope) }
    case 'rotate':
    case 'disable':
      return { kind, id: requireName(id) }
    case 'list':
      if (id !== undefined) throw new UsageError('list takes no name')
      return { kind }
    default:
      throw new UsageError(kind === undefined ? 'say what to do' : `there is no ${kind}`)
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: { scope: { type: 'string', multiple: true, default: [] as string[] } },
    })
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

function requireName(id: string | undefined): string {
  if (id === undefined) throw new UsageError('NAME is missing')
  switch (evaluateClientId(id)) {
    case 'malformed':
      throw new UsageError('NAME is 3 to 63 of a-z, 0-9 and -, the first a letter')
    case 'reserved':
      throw new UsageError(`${id} cannot be the name of a service`)
    case 'usable':
      return id
  }
}

function requireScopes(names: string[]): Scope[] {
  if (names.length === 0) throw new UsageError('a client needs at least one --scope')
  const unknown = names.find((name) => !isScope(name))
  if (unknown !== undefined) throw new UsageError(`there is no scope ${unknown}`)
  return [...new Set(names.filter(isScope))]
}
