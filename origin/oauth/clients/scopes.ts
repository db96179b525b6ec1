/** All scopes of services. */
export const scopes = {
  'entitlements.read': 'Read what accounts may do and have booked',
  'users.read': 'Read accounts',
  'users.import': 'Import accounts with their password hashes',
  'users.metadata': 'Read the metadata of accounts, and set that of the product',
  'users.sign_in': 'Sign users in on their behalf, and say their address',
  'subscriptions.write': 'Change subscriptions',
  'tokens.introspect': 'Ask whether a token is live',
} as const

export type Scope = keyof typeof scopes

export const scopeNames = Object.keys(scopes) as Scope[]

export function isScope(name: string): name is Scope {
  return Object.hasOwn(scopes, name)
}

/** RFC 6749, section 3.3: scope-token *( SP scope-token ). */
const scopeGrammar = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/

/** @returns undefined where the text is not a list of scopes at all */
export function parseScopes(text: string): string[] | undefined {
  return scopeGrammar.test(text) ? text.split(' ') : undefined
}
