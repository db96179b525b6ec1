import * as z from 'zod'

/** A URL parser takes `*` for a letter of a host name. */
const isOrigin = (text: string) => !text.includes('*') && URL.canParse(text) && new URL(text).origin === text

/** A wildcard label before two labels or more, so that no pattern covers a top-level domain. */
const pattern = /^(?<before>https?:\/\/)\*(?<after>\.(?:[a-z\d-]+(?:\.[a-z\d-]+)+|localhost)(?::\d+)?)$/

/** One label of a host name. Browsers send it in lower case. */
const label = /^[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/

const isPattern = (text: string) => pattern.test(text) && isOrigin(text.replace('*', 'a'))

/** An exact origin, or a pattern in which `*` stands for one whole label. */
export const originPattern = z.string().refine((text) => isOrigin(text) || isPattern(text), {
  error:
    'must be origins such as https://app.example.com or https://*.preview.example.com, without a path: * is the first label, before at least two others',
})

/** With credentials, `*` is a literal name (Fetch, section 3.3.4). */
export const headerName = z
  .string()
  .regex(/^[\w!#$%&'+\-.^`|~]+$/, { error: 'must be header names such as X-Total-Count; * is none' })

/**
 * Compares origins with exact ones and with patterns. A pattern's `*` matches one label: neither
 * two, nor a port, nor userinfo.
 *
 * @param allowed of the form of `originPattern`
 */
export function createOriginSet(allowed: readonly string[]) {
  const exact = new Set(allowed.filter((text) => !text.includes('*')))
  const wildcards = allowed.flatMap((text) => {
    const { before, after } = pattern.exec(text)?.groups ?? {}
    return before !== undefined && after !== undefined ? [{ before, after }] : []
  })

  return {
    /** Those that are no pattern. */
    exact: [...exact],

    has: (origin: string): boolean =>
      exact.has(origin) ||
      wildcards.some(
        ({ before, after }) =>
          origin.startsWith(before) &&
          origin.endsWith(after) &&
          label.test(origin.slice(before.length, -after.length)),
      ),
  }
}

export type OriginSet = ReturnType<typeof createOriginSet>
