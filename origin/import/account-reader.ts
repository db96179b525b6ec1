import type { Now } from '../../shared/lib/time.ts'
import { type AccountRules, type ReadAccount, readAccount } from './account.ts'
import { SeenKeys } from './seen-keys.ts'

interface AccountReaderOptions extends AccountRules {
  /** The word for a position: `line 7`. */
  unit: 'line' | 'item'
  now?: Now
}

/**
 * Reads the accounts of one file or request, and rejects one that has the address or the external
 * id of an earlier one.
 */
export function createAccountReader({ unit, now = Date.now, ...rules }: AccountReaderOptions) {
  const seen = new SeenKeys()

  /** @param position from 1 */
  return function readUniqueAccount(value: unknown, position: number): ReadAccount {
    const read = readAccount(value, rules, now())
    if (read.kind === 'rejected') return read
    const { externalId, state } = read.account
    const earlier = {
      external_id: externalId === null ? undefined : seen.add(`external_id ${externalId}`, position),
      email: seen.add(`email ${state.email.toLowerCase()}`, position),
    }
    for (const [field, at] of Object.entries(earlier))
      if (at !== undefined) return { kind: 'rejected', reason: `${field}: is that of ${unit} ${at}` }
    return read
  }
}
