import type { AuthorizationServerResponse } from '../../shared/contract.ts'
import { scopeNames } from './clients/scopes.ts'

/**
 * What a client needs to know of us (RFC 8414). There is no authorization endpoint, as no grant of
 * ours uses one: users sign in at /auth/login, so `response_types_supported` is there and empty.
 *
 * @param issuer as it stands in every token: section 3.3 has clients compare it to the letter
 */
export function authorizationServerMetadata(issuer: string): AuthorizationServerResponse {
  const base = issuer.replace(/\/$/, '')
  const withSecret = ['client_secret_basic', 'client_secret_post']
  return {
    issuer,
    token_endpoint: `${base}/oauth/token`,
    introspection_endpoint: `${base}/oauth/introspect`,
    revocation_endpoint: `${base}/oauth/revoke`,
    jwks_uri: `${base}/.well-known/jwks.json`,
    scopes_supported: scopeNames,
    response_types_supported: [],
    grant_types_supported: ['client_credentials', 'refresh_token'],
    token_endpoint_auth_methods_supported: [...withSecret, 'none'],
    introspection_endpoint_auth_methods_supported: withSecret,
    revocation_endpoint_auth_methods_supported: [...withSecret, 'none'],
  }
}
