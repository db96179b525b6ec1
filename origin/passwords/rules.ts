const product = 'gatehouse'

/** Shorter names are in too many good passwords by chance. */
const shortestName = 4

/** @returns the reason to refuse, or undefined */
export function whyNamesItself(password: string, email: string): string | undefined {
  const text = password.toLowerCase()
  const address = email.toLowerCase()
  const localPart = address.slice(0, address.lastIndexOf('@'))
  if (text.includes(address) || (localPart.length >= shortestName && text.includes(localPart))) {
    return 'must not contain the email address'
  }
  return text.includes(product) ? 'must not contain the name of the product' : undefined
}
