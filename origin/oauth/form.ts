import type { Context } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { OAuthError } from './errors.ts'

/** Parameters by name, without those that have no value. */
export type Form = ReadonlyMap<string, string>

/** The longest parameter is a token of 8 kB. */
const maxFormBytes = 16 * 1024

const limitBody = bodyLimit({
  maxSize: maxFormBytes,
  onError: () => {
    throw new OAuthError('body_too_large')
  },
})

/**
 * @throws OAuthError `unsupported_media_type`, `body_too_large`, `form_malformed`,
 *   `parameter_repeated`
 */
export async function readForm(c: Context): Promise<Form> {
  const mediaType = c.req.header('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (mediaType !== 'application/x-www-form-urlencoded') throw new OAuthError('unsupported_media_type')
  return parseForm(await readText(c))
}

/** A truncated body is the sender's fault, not an internal failure. */
async function readText(c: Context): Promise<string> {
  try {
    await limitBody(c, async () => {})
    return await c.req.text()
  } catch (cause) {
    throw cause instanceof OAuthError ? cause : new OAuthError('form_malformed', { cause })
  }
}

/**
 * Parses a form strictly. URLSearchParams reads a broken escape as text and ignores repeated
 * parameters.
 */
function parseForm(text: string): Form {
  const form = new Map<string, string>()
  for (const pair of text.split('&')) {
    if (pair === '') continue
    const end = pair.indexOf('=')
    const name = decodeFormPart(end < 0 ? pair : pair.slice(0, end))
    const value = end < 0 ? '' : decodeFormPart(pair.slice(end + 1))
    if (name === undefined || value === undefined) throw new OAuthError('form_malformed')
    // RFC 6749, section 3.2: parameters must not be included more than once.
    if (form.has(name)) throw new OAuthError('parameter_repeated')
    form.set(name, value)
  }
  // RFC 6749, section 3.2: parameters sent without a value are treated as if they were omitted.
  for (const [name, value] of form) if (value === '') form.delete(name)
  return form
}

/** @returns undefined where an escape is broken or not UTF-8 */
export function decodeFormPart(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}
