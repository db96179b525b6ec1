import { UsageError } from '../../shared/node/cli.ts'
export const usage = `npm run keys -- create             make the first signing key
npm run keys -- list               show the keys, and when each makes its next step
npm run keys -- rotate             publish a successor; origins make the later steps by themselves
npm run keys -- revoke KID         delete a published key
npm run keys -- revoke KID --now   delete any key: every token it signed is refused, and another key signs at once
npm run keys -- list|rotate|revoke ... --assertions
                                   the same for the keys that sign assertions
npm run keys -- reseal             encrypt with KEY_ENCRYPTION_KEY what OLD_KEY_ENCRYPTION_KEY encrypted
`

export type Command =
  | { kind: 'create' | 'reseal' }
  | { kind: 'list' | 'rotate'; assertions?: true }
  | { kind: 'revoke'; kid: string; evenInUse: boolean; assertions?: true }

/**
 * A kid is a SHA-256 in base64url (RFC 7638). One in 64 begins with a hyphen, which parseArgs takes
 * for an option.
 */
const kidShape = /^[\w-]{43}$/

/** @throws UsageError */
export function parseCommand(args: string[]): Command {
  const options = args.filter((word) => word.startsWith('-') && !kidShape.test(word))
  const [kind, kid, ...more] = args.filter((word) => !options.includes(word))
  const unknown = options.find((option) => option !== '--now' && option !== '--assertions')
  if (unknown !== undefined) throw new UsageError(`there is no option ${unknown}`)
  if (more.length > 0) throw new UsageError(`too many words: ${more.join(' ')}`)
  const evenInUse = options.includes('--now')
  const of = options.includes('--assertions') ? ({ assertions: true } as const) : {}
  if (evenInUse && kind !== 'revoke') throw new UsageError('--now belongs to revoke')
  if (of.assertions && (kind === 'create' || kind === 'reseal'))
    throw new UsageError(`--assertions does not belong to ${kind}`)
  switch (kind) {
    case 'create':
    case 'list':
    case 'rotate':
    case 'reseal':
      if (kid !== undefined) throw new UsageError(`${kind} takes no KID`)
      return { kind, ...of }
    case 'revoke':
      if (kid === undefined) throw new UsageError('KID is missing: npm run keys -- list shows them')
      if (!kidShape.test(kid)) throw new UsageError(`${kid} is no KID, which has 43 characters`)
      return { kind, kid, evenInUse, ...of }
    default:
      throw new UsageError(kind === undefined ? 'say what to do' : `there is no ${kind}`)
  }
}
