/** An item of a list with its parameters (RFC 9651), as far as the RateLimit fields use them. */
export interface Item {
  value: string
  parameters: Record<string, number>
}

/** @throws Error where the field is not a list of strings with integer parameters */
export function parseList(field: string | null): Item[] {
  if (field === null) throw new Error('the field is missing')
  return field.split(/[ \t]*,[ \t]*/).map((member) => {
    const match = /^"([ !#-[\]-~]*)"((?:; *[a-z*][a-z0-9_.*-]*=-?\d{1,15})*)$/.exec(member)
    if (!match) throw new Error(`not a string with integers: ${member}`)
    const [, value = '', parameters = ''] = match
    const pairs = parameters.split(';').slice(1)
    return {
      value,
      parameters: Object.fromEntries(
        pairs.map((pair) => {
          const [name = '', number] = pair.trim().split('=')
          return [name, Number(number)]
        }),
      ),
    }
  })
}
