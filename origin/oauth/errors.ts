import { errors } from '../../shared/http/errors.ts'

/**
 * The errors of OAuth, under /oauth; others there, such as limits, are problems of
 * shared/http/errors.ts. `error` is what RFC 6749 (section 5.2), RFC 7009 or RFC 6750 names it, for
 * standard clients; our own `code` beside it distinguishes the cases. The statuses are those RFCs',
 * so a spent refresh token is 400 here and 401 at /auth/refresh.
 *
 * `description` has no quote, no backslash and nothing of the request in it: section 5.2 allows
 * only %x20-21 / %x23-5B / %x5D-7E.
 */
interface OAuthErrorRow {
  status: 400 | 401 | 403 | 413 | 415
  error: string
  description: string
}

export const oauthErrors = {
  form_malformed: { status: 400, error: 'invalid_request', description: 'The body is not a form' },
  parameter_missing: { status: 400, error: 'invalid_request', description: 'A parameter is missing' },
  parameter_repeated: { status: 400, error: 'invalid_request', description: 'A parameter came twice' },
  credentials_repeated: {
    status: 400,
    error: 'invalid_request',
    description: 'A client authenticates in one way a request',
  },
  body_too_large: { status: 413, error: 'invalid_request', description: errors.body_too_large.title },
  unsupported_media_type: {
    status: 415,
    error: 'invalid_request',
    description: 'The body must be application/x-www-form-urlencoded',
  },

  invalid_client: { status: 401, error: 'invalid_client', description: 'The client is not authenticated' },
  unauthorized_client: {
    status: 400,
    error: 'unauthorized_client',
    description: 'This client may not use this grant',
  },
  insufficient_scope: { status: 403, error: 'insufficient_scope', description: 'A scope is missing' },
  invalid_scope: {
    status: 400,
    error: 'invalid_scope',
    description: 'A scope is unknown or was not granted to this client',
  },

  unsupported_grant_type: {
    status: 400,
    error: 'unsupported_grant_type',
    description: 'There is no such grant here',
  },
  refresh_invalid: { status: 400, error: 'invalid_grant', description: errors.refresh_invalid.title },
  refresh_reused: { status: 400, error: 'invalid_grant', description: errors.refresh_reused.title },
  /** RFC 8693, section 2.2.2: an unacceptable subject token is an invalid request. */
  legacy_token_invalid: {
    status: 400,
    error: 'invalid_request',
    description: errors.legacy_token_invalid.title,
  },
  legacy_token_without_exp: {
    status: 400,
    error: 'invalid_request',
    description: errors.legacy_token_without_exp.title,
  },
  legacy_token_spent: {
    status: 400,
    error: 'invalid_request',
    description: errors.legacy_token_spent.title,
  },
  legacy_issuer_ended: {
    status: 400,
    error: 'invalid_request',
    description: errors.legacy_issuer_ended.title,
  },
  /** Finished at POST /auth/login/factor: RFC 8693 has no step for a second factor. */
  mfa_required: { status: 400, error: 'invalid_request', description: errors.mfa_required.title },
  email_unverified: { status: 400, error: 'invalid_request', description: errors.email_unverified.title },
  subject_token_type_unsupported: {
    status: 400,
    error: 'invalid_request',
    description: 'The subject token must be a JWT',
  },
  requested_token_type_unsupported: {
    status: 400,
    error: 'invalid_request',
    description: 'Only access tokens are issued',
  },
  actor_token_unsupported: {
    status: 400,
    error: 'invalid_request',
    description: 'Nobody acts for another here',
  },
  invalid_target: {
    status: 400,
    error: 'invalid_target',
    description: 'Tokens are issued for no such target',
  },
  token_of_another_client: {
    status: 400,
    error: 'invalid_grant',
    description: 'The token was issued to another client',
  },
  unsupported_token_type: {
    status: 400,
    error: 'unsupported_token_type',
    description: 'A token of this type ends by itself alone',
  },
} as const satisfies Record<string, OAuthErrorRow>

export type OAuthErrorCode = keyof typeof oauthErrors

interface OAuthErrorOptions {
  /** RFC 6749, section 5.2: for a client that used the Authorization header. */
  challenge?: boolean
  /** Members of the body beside those of every error. */
  members?: Readonly<Record<string, unknown>>
  headers?: Readonly<Record<string, string>>
  /** For the log only. */
  cause?: unknown
}

/** An error response under /oauth, as Problem is elsewhere. */
export class OAuthError extends Error {
  readonly code: OAuthErrorCode
  readonly challenge: boolean
  readonly members: Readonly<Record<string, unknown>>
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: OAuthErrorCode,
    { challenge = false, members = {}, headers = {}, cause }: OAuthErrorOptions = {},
  ) {
    super(code, { cause })
    this.name = 'OAuthError'
    this.code = code
    this.challenge = challenge
    this.members = members
    this.headers = headers
  }
}

const basicChallenge = 'Basic realm="gatehouse", charset="UTF-8"'

/**
 * Makes the body of an `OAuthError`: RFC 6749, section 5.2, with the members of every problem.
 */
export function oauthErrorResponse(
  { code, challenge, members, headers }: OAuthError,
  requestId: string,
): Response {
  const { status, error, description } = oauthErrors[code]
  const body = { error, error_description: description, status, code, request_id: requestId, ...members }
  return Response.json(body, {
    status,
    headers: {
      ...headers,
      'cache-control': 'no-store',
      pragma: 'no-cache',
      ...(challenge && { 'www-authenticate': basicChallenge }),
    },
  })
}
