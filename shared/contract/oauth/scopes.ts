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

export const scopeNames = Object.keys(scopes) as [Scope, ...Scope[]]
