import { type Context, Hono } from 'hono'
import {
  oauth as contract,
  type ExchangedTokenResponse,
  type ServiceTokenResponse,
  type TokenResponse,
  tokenExchangeGrant,
} from '../../shared/contract.ts'
import { logRejection } from '../../shared/http/report-error.ts'
import type { Log } from '../../shared/lib/log.ts'
import { type OriginEnv, type RequestContext, userAgentOf } from '../http/request-context.ts'
import { serve } from '../http/serve.ts'
import type { LegacyExchange } from '../legacy/service.ts'
import type { OAuthCaller } from './authentication.ts'
import { readCredentials } from './credentials.ts'
import { OAuthError, type OAuthErrorCode, oauthErrorResponse } from './errors.ts'
import { type Form, readForm } from './form.ts'
import type { OAuthService } from './service.ts'
import { createTokenExchange } from './token-exchange.ts'

interface OAuthRoutesOptions {
  oauth: OAuthService
  /** Undefined where no tokens of former systems are exchanged. */
  exchange?: LegacyExchange | undefined
  /** Called with the code of every OAuth error response. */
  onRejected?: (code: OAuthErrorCode) => void
  log: Log
}

/** A request to any endpoint, with its authenticated client. */
interface OAuthRequest {
  form: Form
  caller: OAuthCaller
  context: RequestContext
}

type Grant = (request: OAuthRequest) => Promise<ServiceTokenResponse | ExchangedTokenResponse | TokenResponse>

const { issueToken, introspectToken, revokeToken } = contract.endpoints

/**
 * The endpoints for OAuth clients: frontends through the gateway, services at the origin itself.
 * Client credentials authenticate a request, so that it needs no assertion.
 */
export function createOAuthRoutes({ oauth, exchange, onRejected = () => {}, log }: OAuthRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  async function read(c: Context<OriginEnv>): Promise<OAuthRequest> {
    const form = await readForm(c)
    const context = requestContextOf(c)
    const credentials = readCredentials(c.req.header('authorization'), form)
    return { form, context, caller: await oauth.authenticate(credentials, context) }
  }

  const grants = new Map<string, Grant>([
    [
      'client_credentials',
      ({ form, caller, context }) => oauth.issueServiceToken(caller, form.get('scope'), context),
    ],
    [
      'refresh_token',
      ({ form, caller, context }) =>
        oauth.refresh(
          caller,
          { refreshToken: requireParameter(form, 'refresh_token'), scope: form.get('scope') },
          context,
        ),
    ],
    ...(exchange ? [[tokenExchangeGrant, createTokenExchange(exchange)] as const] : []),
  ])

  /**
   * Tokens must not be cached: RFC 6749, section 5.1, requires both headers.
   */
  routes.use('/oauth/*', async function noStore(c, next) {
    await next()
    c.header('cache-control', 'no-store')
    c.header('pragma', 'no-cache')
  })

  serve(routes, issueToken, async ({ respond }, c) => {
    const request = await read(c)
    const grant = grants.get(requireParameter(request.form, 'grant_type'))
    if (!grant) throw new OAuthError('unsupported_grant_type')
    return respond(await grant(request))
  })

  serve(routes, introspectToken, async ({ respond }, c) => {
    const { form, caller, context } = await read(c)
    return respond(await oauth.introspect(caller, requireParameter(form, 'token'), context))
  })

  serve(routes, revokeToken, async ({ respond }, c) => {
    const { form, caller, context } = await read(c)
    await oauth.revoke(caller, requireParameter(form, 'token'), context)
    return respond()
  })

  /**
   * Responds to an OAuthError in the form of RFC 6749. The app handles all other errors.
   */
  routes.onError((error, c) => {
    if (!(error instanceof OAuthError)) throw error
    onRejected(error.code)
    logRejection(log, { level: 'info', message: 'request refused' }, error, c.get('lifecycle'))
    return oauthErrorResponse(error, c.get('requestId'))
  })

  return routes
}

/**
 * The gateway's context, or that of a service, whose address headers are not trusted.
 */
function requestContextOf(c: Context<OriginEnv>): RequestContext {
  const fromGateway: RequestContext | undefined = c.get('context')
  if (fromGateway) return fromGateway
  return { ip: null, userAgent: userAgentOf(c), requestId: c.get('requestId') }
}

function requireParameter(form: Form, name: string): string {
  const value = form.get(name)
  if (value === undefined) throw new OAuthError('parameter_missing', { cause: name })
  return value
}
