import { describe, expect, test } from 'vitest'
import { authorizationServerMetadata } from './metadata.ts'

describe('the metadata of RFC 8414', () => {
  test('has all that a client needs, and only what exists', () => {
    expect(authorizationServerMetadata('https://id.example.com')).toEqual({
      issuer: 'https://id.example.com',
      token_endpoint: 'https://id.example.com/oauth/token',
      introspection_endpoint: 'https://id.example.com/oauth/introspect',
      revocation_endpoint: 'https://id.example.com/oauth/revoke',
      jwks_uri: 'https://id.example.com/.well-known/jwks.json',
      scopes_supported: [
        'entitlements.read',
        'users.read',
        'users.import',
        'users.metadata',
        'users.sign_in',
        'subscriptions.write',
        'tokens.introspect',
      ],
      response_types_supported: [],
      grant_types_supported: ['client_credentials', 'refresh_token'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
      introspection_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      revocation_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post', 'none'],
    })
  })

  // Section 3.3: a client rejects metadata whose issuer differs from the requested one.
  test.each(['https://id.example.com/', 'http://127.0.0.1:8080', 'https://example.com/id'])(
    'names the issuer %s exactly, and endpoints under it without a doubled slash',
    (issuer) => {
      const metadata = authorizationServerMetadata(issuer)
      expect(metadata.issuer).toBe(issuer)
      expect(metadata.token_endpoint).toBe(`${issuer.replace(/\/$/, '')}/oauth/token`)
    },
  )
})
