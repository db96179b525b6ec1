import * as oauth from 'oauth4webapi'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createOAuthFullStack, type OAuthFullStack } from '../../test/support/full-stack/oauth-full-stack.ts'

/**
 * oauth4webapi as it comes from npm: a client that reads the RFCs to the letter. Only its fetch is
 * ours, and that the issuer of the tests is plain http.
 */

let fullStack: OAuthFullStack
let server: oauth.AuthorizationServer
let secret: string

const service: oauth.Client = { client_id: 'billing' }
const frontend: oauth.Client = { client_id: 'frontend' }

const options = {
  [oauth.allowInsecureRequests]: true,
  async [oauth.customFetch](
    url: string,
    { body, ...init }: oauth.CustomFetchOptions<string, URLSearchParams | undefined>,
  ) {
    const { pathname, search } = new URL(url)
    return fullStack.fetch(pathname + search, { ...init, body: body ?? null, signal: init.signal ?? null })
  },
}

beforeAll(async () => {
  fullStack = await createOAuthFullStack()
  secret = (await fullStack.client('billing', 'users.read', 'tokens.introspect')).secret
  const issuer = new URL(fullStack.issuer)
  const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...options })
  server = await oauth.processDiscoveryResponse(issuer, found)
})
afterAll(() => fullStack.close())

async function serviceToken(auth: oauth.ClientAuth, parameters: Record<string, string> = {}) {
  const answer = await oauth.clientCredentialsGrantRequest(server, service, auth, parameters, options)
  return oauth.processClientCredentialsResponse(server, service, answer)
}

async function introspect(token: string, auth: oauth.ClientAuth = oauth.ClientSecretBasic(secret)) {
  const answer = await oauth.introspectionRequest(server, service, auth, token, options)
  return oauth.processIntrospectionResponse(server, service, answer)
}

/** The client's error for a rejection that it understands. */
async function bodyError(action: Promise<unknown>) {
  const error = await action.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof oauth.ResponseBodyError)) throw error ?? new Error('nothing was refused')
  return { error: error.error, status: error.status }
}

describe('a strict OAuth client, unpatched,', () => {
  test('finds the endpoints by the issuer', () => {
    expect(server.issuer).toBe(fullStack.issuer)
    expect(server.token_endpoint).toBe(`${fullStack.issuer}/oauth/token`)
  })

  test.each([
    ['client_secret_basic', () => oauth.ClientSecretBasic(secret)],
    ['client_secret_post', () => oauth.ClientSecretPost(secret)],
  ])('gets a token by client_credentials with %s', async (_, auth) => {
    expect(await serviceToken(auth(), { scope: 'users.read' })).toMatchObject({
      token_type: 'bearer',
      expires_in: 300,
      scope: 'users.read',
    })
  })

  test('validates that token as a resource server would (RFC 9068)', async () => {
    const { access_token } = await serviceToken(oauth.ClientSecretBasic(secret))
    const request = new Request(fullStack.issuer, { headers: { authorization: `Bearer ${access_token}` } })
    const claims = await oauth.validateJwtAccessToken(server, request, 'origin', options)
    expect(claims).toMatchObject({ sub: 'billing', client_id: 'billing' })
    await expect(oauth.validateJwtAccessToken(server, request, 'gatehouse', options)).rejects.toThrow()
  })

  test('refreshes for the frontend, a public client', async () => {
    const { tokens } = await fullStack.signUp('ada@example.com')
    const answer = await oauth.refreshTokenGrantRequest(
      server,
      frontend,
      oauth.None(),
      tokens.refresh_token,
      options,
    )
    const next = await oauth.processRefreshTokenResponse(server, frontend, answer)
    expect(next).toMatchObject({ token_type: 'bearer', expires_in: 900 })
    expect(next.refresh_token).not.toBe(tokens.refresh_token)
  })

  test('introspects tokens of both kinds', async () => {
    const { tokens } = await fullStack.signUp('bob@example.com')
    expect(await introspect(tokens.access_token)).toMatchObject({ active: true, client_id: 'frontend' })
    expect(await introspect(tokens.refresh_token)).toMatchObject({ active: true })
    const { access_token } = await serviceToken(oauth.ClientSecretPost(secret))
    expect(await introspect(access_token)).toMatchObject({ active: true, sub: 'billing' })
    expect(await introspect('nonsense', oauth.ClientSecretPost(secret))).toEqual({ active: false })
  })

  test('revokes a refresh token, after which introspection calls both tokens inactive', async () => {
    const { tokens } = await fullStack.signUp('eve@example.com')
    const revoke = (token: string) => oauth.revocationRequest(server, frontend, oauth.None(), token, options)
    await oauth.processRevocationResponse(await revoke(tokens.refresh_token))
    await oauth.processRevocationResponse(await revoke(tokens.refresh_token))
    expect(await introspect(tokens.access_token)).toEqual({ active: false })
    expect(await introspect(tokens.refresh_token)).toEqual({ active: false })
  })

  test('understands invalid_client, by challenge and by body', async () => {
    const byHeader = serviceToken(oauth.ClientSecretBasic('wrong'))
    await expect(byHeader).rejects.toThrow(oauth.WWWAuthenticateChallengeError)
    await expect(byHeader).rejects.toMatchObject({
      status: 401,
      cause: [{ scheme: 'basic', parameters: { realm: 'gatehouse', charset: 'UTF-8' } }],
    })
    expect(await bodyError(serviceToken(oauth.ClientSecretPost('wrong')))).toEqual({
      error: 'invalid_client',
      status: 401,
    })
  })

  test('understands invalid_scope, invalid_grant and unsupported_grant_type', async () => {
    expect(await bodyError(serviceToken(oauth.ClientSecretBasic(secret), { scope: 'admin' }))).toEqual({
      error: 'invalid_scope',
      status: 400,
    })
    const refreshed = await oauth.refreshTokenGrantRequest(server, frontend, oauth.None(), 'x', options)
    expect(await bodyError(oauth.processRefreshTokenResponse(server, frontend, refreshed))).toEqual({
      error: 'invalid_grant',
      status: 400,
    })
    const auth = oauth.ClientSecretBasic(secret)
    const other = await oauth.genericTokenEndpointRequest(server, service, auth, 'password', {}, options)
    expect(await bodyError(oauth.processGenericTokenEndpointResponse(server, service, other))).toEqual({
      error: 'unsupported_grant_type',
      status: 400,
    })
  })

  test('understands a rejection to introspect and one to revoke', async () => {
    const poor = { client_id: 'poor' }
    const auth = oauth.ClientSecretBasic((await fullStack.client('poor', 'users.read')).secret)
    const asked = await oauth.introspectionRequest(server, poor, auth, 'x', options)
    expect(await bodyError(oauth.processIntrospectionResponse(server, poor, asked))).toEqual({
      error: 'insufficient_scope',
      status: 403,
    })
    const { access_token } = await serviceToken(oauth.ClientSecretBasic(secret))
    const own = oauth.ClientSecretBasic(secret)
    const revoked = await oauth.revocationRequest(server, service, own, access_token, options)
    expect(await bodyError(oauth.processRevocationResponse(revoked))).toEqual({
      error: 'unsupported_token_type',
      status: 400,
    })
  })
})
