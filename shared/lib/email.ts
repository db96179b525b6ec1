/** A label as browsers take it (HTML, `input type=email`): at most 63 characters. */
const label = '[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?'
const localPart = "[a-zA-Z0-9.!#$%&'*+\\/=?^_`{|}~-]+"

/** Characters that browsers accept in an ASCII domain. */
const browserAddress = new RegExp(`^${localPart}@${label}(?:\\.${label})*$`)

/** Letters, digits and hyphens of ASCII, and whatever is not ASCII: UTS 46 decides on that. */
const anyLabel = '[^\\x00-\\x2c\\x2e\\x2f\\x3a-\\x40\\x5b-\\x60\\x7b-\\x7f]+'

/** The same with international domain names: published, for forms to check by. */
export const emailPattern = `^${localPart}@${anyLabel}(?:\\.${anyLabel})*$`

const typedAddress = new RegExp(emailPattern, 'u')

/**
 * Accounts of before this was the rule may have a label that ends in a hyphen or is longer than 63
 * characters.
 */
const formerAddress = /^[\w'+.-]*[\w+-]@(?:[a-z0-9][a-z0-9-]*\.)+[a-z]{2,}$/i

/** Characters of an address, which is in ASCII when it is counted (RFC 5321, section 4.5.3.1.3). */
export const maxEmailLength = 254

/** A domain in A-labels (UTS 46), as the URL standard has it; undefined where there is none. */
function toAsciiDomain(domain: string): string | undefined {
  const url = `http://${domain}.a/`
  // With a label of letters at its end no domain is taken for an IPv4 address.
  return URL.canParse(url) ? new URL(url).hostname.slice(0, -'.a'.length) : undefined
}

/**
 * The one form of an address that is stored, looked up, hashed and mailed to: the local part as it
 * was typed, the domain in lower case and in A-labels. Letter case of the local part is left to the
 * comparison, which ignores it.
 *
 * @returns undefined for what is no address
 */
export function canonicalEmail(text: string): string | undefined {
  if (!typedAddress.test(text)) return undefined
  const at = text.indexOf('@')
  const typed = text.slice(at + 1)
  const domain = /^\p{ASCII}*$/u.test(typed) ? typed.toLowerCase() : toAsciiDomain(typed)
  if (domain === undefined) return undefined
  const canonical = `${text.slice(0, at)}@${domain}`
  return canonical.length <= maxEmailLength && browserAddress.test(canonical) ? canonical : undefined
}

/** A dot, and a last label that is no number: the URL standard reads `0x7f.1` as 127.0.0.1. */
const publicDomain = /\.(?!(?:\d+|0x[\da-f]*)$)[a-z0-9-]+$/i

/**
 * As `canonicalEmail`, for addresses to register: without domains that a mail server reads as a
 * host of its own network, or as an IPv4 address.
 */
export function newAddress(text: string): string | undefined {
  const canonical = canonicalEmail(text)
  const domain = canonical?.slice(canonical.indexOf('@') + 1)
  return domain !== undefined && publicDomain.test(domain) ? canonical : undefined
}

/**
 * As `canonicalEmail`, for addresses that are looked up: also those that could be registered in
 * former times.
 */
export function knownEmail(text: string): string | undefined {
  const isFormer = text.length <= maxEmailLength && formerAddress.test(text)
  return canonicalEmail(text) ?? (isFormer ? text : undefined)
}
