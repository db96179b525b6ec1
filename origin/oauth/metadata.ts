import { scopeNames } from '../../shared/contract/oauth/scopes.ts'
import { type AuthorizationServerResponse, tokenExchangeGrant } from '../../shared/contract.ts'

/**
 * The server metadata (RFC 8414). No grant uses an authorization endpoint: users sign in at
 * /auth/login. So the required `response_types_supported` is empty.
 *
 * @param issuer exactly as in every token: clients compare it (section 3.3)
 * @param exchangesTokens whether tokens of former systems are exchanged
 */
export function authorizationServerMetadata(
  issuer: string,
  { exchangesTokens = false }: { exchangesTokens?: boolean } = {},
): AuthorizationServerResponse {
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
    grant_types_supported: [
      'client_credentials',
      'refresh_token',
      ...(exchangesTokens ? [tokenExchangeGrant] : []),
    ],
    token_endpoint_auth_methods_supported: [...withSecret, 'none'],
    introspection_endpoint_auth_methods_supported: withSecret,
    revocation_endpoint_auth_methods_supported: [...withSecret, 'none'],
  }
}
