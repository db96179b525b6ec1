import type { PasswordFaultCode } from '../../shared/contract.ts'

/** Why a password is refused: `code` for frontends, `detail` for people who read English. */
export interface PasswordFault {
  code: PasswordFaultCode
  detail: string
}

/** Shorter names are in too many good passwords by chance. */
const shortestName = 4

interface Names {
  email: string
  /**
   * As it is configured: a name of several words counts with and without what stands between them.
   */
  product: string
}

/** @returns the reason to refuse, or undefined */
export function findOwnName(password: string, { email, product }: Names): PasswordFault | undefined {
  const text = password.toLowerCase()
  const address = email.toLowerCase()
  const localPart = address.slice(0, address.lastIndexOf('@'))
  if (text.includes(address) || (localPart.length >= shortestName && text.includes(localPart))) {
    return { code: 'contains_email', detail: 'must not contain the email address' }
  }
  const name = lettersOf(product)
  return name.length >= shortestName && lettersOf(password).includes(name)
    ? { code: 'contains_product_name', detail: 'must not contain the name of the product' }
    : undefined
}

const lettersOf = (text: string) =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '')
