import { parseArgs } from 'node:util'
import { defaultOverlapSeconds, maxOverlapSeconds } from '../../../shared/contract/oauth/clients.ts'
import { type Scope, scopes } from '../../../shared/contract/oauth/scopes.ts'
import { UsageError } from '../../../shared/node/cli.ts'
import { evaluateClientId } from './client-id.ts'
import { isScope } from './scopes.ts'

const defaultOverlapHours = defaultOverlapSeconds / 3600
const maxOverlapHours = maxOverlapSeconds / 3600

export const usage = `npm run clients -- create NAME --scope SCOPE [--scope SCOPE ...]   make a client, show its secret once
npm run clients -- list                                            show the clients
npm run clients -- scopes NAME --scope SCOPE [--scope SCOPE ...]   replace its scopes
npm run clients -- rotate NAME [--overlap HOURS]                   give it a new secret; the old one works for ${defaultOverlapHours} h
                                                                   more (0 to ${maxOverlapHours}; 0 if it leaked)
npm run clients -- end-previous NAME                               void the old secret now
npm run clients -- disable NAME                                    let it in no more
npm run clients -- delete NAME                                     forget it

Scopes:
${Object.entries(scopes)
  .map(([name, meaning]) => `  ${name.padEnd(22)}${meaning}`)
  .join('\n')}
`

export type Command =
  | { kind: 'create' | 'scopes'; id: string; scopes: Scope[] }
  | { kind: 'rotate'; id: string; overlapSeconds: number }
  | { kind: 'end-previous' | 'disable' | 'delete'; id: string }
  | { kind: 'list' }

/** @throws UsageError */
export function parseCommand(args: string[]): Command {
  const { values, positionals } = parse(args)
  const [kind, id, ...more] = positionals
  if (more.length > 0) throw new UsageError(`too many words: ${more.join(' ')}`)
  if (kind !== 'create' && kind !== 'scopes' && values.scope.length > 0)
    throw new UsageError('--scope belongs to create and scopes')
  if (kind !== 'rotate' && values.overlap !== undefined) throw new UsageError('--overlap belongs to rotate')
  switch (kind) {
    case 'create':
    case 'scopes':
      return { kind, id: requireName(id), scopes: requireScopes(values.scope) }
    case 'rotate':
      return { kind, id: requireName(id), overlapSeconds: readOverlap(values.overlap) }
    case 'end-previous':
    case 'disable':
    case 'delete':
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
      options: {
        scope: { type: 'string', multiple: true, default: [] as string[] },
        overlap: { type: 'string' },
      },
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

function readOverlap(hours: string | undefined): number {
  if (hours === undefined) return defaultOverlapSeconds
  if (!/^\d{1,4}$/.test(hours) || Number(hours) > maxOverlapHours)
    throw new UsageError(`--overlap is a whole number of hours from 0 to ${maxOverlapHours}`)
  return Number(hours) * 3600
}
