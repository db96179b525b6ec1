import type { PasswordFaultCode } from '../../shared/contract.ts'

/** The reason to reject a password: `code` for frontends, `detail` for readers of English. */
export interface PasswordFault {
  code: PasswordFaultCode
  detail: string
}

/** Shorter names occur in good passwords by chance. */
const minNameLength = 4

interface Names {
  email: string
  /**
   * As configured; a name of several words matches with and without separators.
   */
  product: string
}

/** @returns the reason to reject it, or undefined */
export function findOwnName(password: string, { email, product }: Names): PasswordFault | undefined {
  const text = password.toLowerCase()
  const address = email.toLowerCase()
  const localPart = address.slice(0, address.lastIndexOf('@'))
  if (text.includes(address) || (localPart.length >= minNameLength && text.includes(localPart))) {
    return { code: 'contains_email', detail: 'must not contain the email address' }
  }
  const name = lettersOf(product)
  return name.length >= minNameLength && lettersOf(password).includes(name)
    ? { code: 'contains_product_name', detail: 'must not contain the name of the product' }
    : undefined
}

const lettersOf = (text: string) =>
  text
    .normalize('NFKC')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, '')
