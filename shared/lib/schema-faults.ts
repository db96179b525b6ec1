import type { z } from 'zod'

/** One fault of a value that its schema rejects. */
export interface SchemaFault {
  /** Leads to the member at fault; an unknown key is its last step. Empty for the whole value. */
  path: readonly PropertyKey[]
  message: string
  isUnknownKey: boolean
  /** Set where the key is at fault, not its value. */
  isOfKey?: boolean
  /** The stable name of the rule, where the schema gives it one: `{ params: { code } }`. */
  code?: string
}

/** The structure that the errors of `zod` and of its core share. */
interface SchemaError {
  issues: readonly z.core.$ZodIssue[]
}

/**
 * The faults that are listed at most. A body of short unknown keys would get a response of many
 * times its size.
 */
const maxFaults = 100

/** Every conversion of schema errors into text or JSON starts from this list. */
export function listSchemaFaults({ issues }: SchemaError): SchemaFault[] {
  return issues.flatMap(faultsOf).slice(0, maxFaults)
}

function faultsOf(issue: z.core.$ZodIssue): SchemaFault[] {
  const { path, message } = issue
  if (issue.code === 'unrecognized_keys')
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: `Unrecognized key: "${key}"`,
      isUnknownKey: true,
    }))
  const fault = { path, message, isUnknownKey: false }
  // The message of `invalid_key` says nothing: the issues of the key's own schema do.
  if (issue.code === 'invalid_key')
    return [{ ...fault, message: issue.issues[0]?.message ?? message, isOfKey: true }]
  const code: unknown = issue.code === 'custom' ? issue.params?.code : undefined
  return [typeof code === 'string' ? { ...fault, code } : fault]
}

/** A fault as a person reads it: its member, then the reason. */
export function describeSchemaFault({ path, message }: SchemaFault, whole: string): string {
  return `${path.join('.') || whole}: ${message}`
}
