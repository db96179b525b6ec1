import { type Scope, scopes } from '../../../shared/contract/oauth/scopes.ts'

export function isScope(name: string): name is Scope {
  return Object.hasOwn(scopes, name)
}

/** RFC 6749, section 3.3: scope-token *( SP scope-token ). */
const scopeGrammar = /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/

/** @returns undefined where the text is not a list of scopes at all */
export function parseScopes(text: string): string[] | undefined {
  return scopeGrammar.test(text) ? text.split(' ') : undefined
}
