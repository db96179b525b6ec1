interface SetCookie {
  value: string
  /** As they stand, but for their order. */
  attributes: string[]
}

/** The cookie that an answer sets; undefined where it sets none of that name. */
export function setCookieOf(response: Response, name: string): SetCookie | undefined {
  const field = response.headers.getSetCookie().find((text) => text.startsWith(`${name}=`))
  if (field === undefined) return undefined
  const [pair = '', ...attributes] = field.split('; ')
  return { value: pair.slice(name.length + 1), attributes: attributes.sort() }
}
