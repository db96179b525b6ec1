/** Formats of which the services take a part, which the pattern says. */
const narrowed: ReadonlySet<string> = new Set(['email', 'date-time'])

/** zod's way of making a schema, put right in three points. */
export function tidySchema({
  jsonSchema,
  io,
}: {
  jsonSchema: { [key: string]: unknown }
  io: 'input' | 'output'
}): void {
  // A format says it all; its pattern would repeat it in some hundred characters. Not so where less
  // is taken.
  if (typeof jsonSchema.format === 'string' && !(io === 'input' && narrowed.has(jsonSchema.format)))
    delete jsonSchema.pattern
  // An integer of JavaScript is one that a double can hold, which the other end need not be told.
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
  // A response may get members later on: a client must not refuse those it does not know.
  if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
}
