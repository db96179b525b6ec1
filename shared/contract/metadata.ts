import * as z from 'zod'

/** Characters of metadata as JSON, and how deep its objects and lists may be nested. */
const longestMetadata = 8192
const deepestMetadata = 16

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue }
export type JsonObject = { [key: string]: JsonValue }

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** PostgreSQL stores neither NUL nor half characters. */
const isStorable = (text: string) => text.isWellFormed() && !text.includes('\0')

const tooLong = `must have at most ${longestMetadata} characters as JSON`

/**
 * The reason why parsed JSON cannot be stored, or undefined. It visits no more members than fit
 * into the longest metadata, as a body may have a million.
 */
function whyNotStorable(value: unknown, visited = { count: 0 }, depth = 0): string | undefined {
  visited.count += 1
  if (visited.count > longestMetadata) return tooLong
  if (depth > deepestMetadata) return `is nested more than ${deepestMetadata} deep`
  if (typeof value === 'string' && !isStorable(value)) return 'has NUL or half a surrogate pair'
  if (typeof value !== 'object' || value === null) return undefined
  for (const key of Object.keys(value)) {
    const member: unknown = (value as JsonObject)[key]
    if (key === '__proto__') return 'has the key __proto__'
    const fault = isStorable(key)
      ? whyNotStorable(member, visited, depth + 1)
      : 'has NUL or half a surrogate pair'
    if (fault) return fault
  }
  return undefined
}

/** PostgreSQL writes numbers without exponents: 1e300 as 301 digits. */
function asWritten(_: string, value: unknown): unknown {
  const [, exponent] = typeof value === 'number' ? `${value}`.split('e') : []
  return exponent === undefined ? value : '0'.repeat(Math.abs(Number(exponent)))
}

/** @returns the reason to reject it as text */
function readMetadata(value: unknown): JsonObject | string {
  if (!isObject(value)) return 'must be an object'
  const fault = whyNotStorable(value)
  if (fault) return fault
  const text = JSON.stringify(value)
  if (text.length > longestMetadata || JSON.stringify(value, asWritten).length > longestMetadata)
    return tooLong
  // As it is stored and read again: a parser makes -0 and Infinity, which JSON has as 0 and null.
  return JSON.parse(text)
}

/** An object of JSON that a user or the product keeps with an account. */
export const metadata = z
  .unknown()
  .transform((value, context): JsonObject => {
    const read = readMetadata(value)
    if (typeof read !== 'string') return read
    context.issues.push({ code: 'custom', message: read, input: value })
    return z.NEVER
  })
  .meta({ type: 'object', description: `At most ${longestMetadata} characters as JSON.` })

/** As it was stored. */
export const metadataResponse = z.record(z.string(), z.unknown())

/** The half that the product sets; it replaces the former one as a whole. */
export const productMetadataBody = z.strictObject({ product_metadata: metadata })

/** Both halves: that of the user, and that of the product. */
export const accountMetadataResponse = z
  .object({ user_metadata: metadataResponse, product_metadata: metadataResponse })
  .meta({ id: 'AccountMetadata' })

export type AccountMetadataResponse = z.output<typeof accountMetadataResponse>
