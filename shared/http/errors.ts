import { assertionScheme } from './headers.ts'

/** Log line of a rejection. */
export interface LogEntry {
  level: 'info' | 'warn' | 'error'
  message: string
}

/**
 * All error codes, but those of OAuth (origin/oauth/errors.ts). A code never changes its status.
 * For a new case add a row instead of branching on details.
 *
 * `challenge` is the WWW-Authenticate value (RFC 6750, section 3); `retryAfterSeconds` the default
 * Retry-After; `log` replaces the level that follows from the status, as for a 400 that only the
 * operator can repair; `type` is set where a registered problem type says the same (RFC 9457,
 * section 4.2).
 */
interface ErrorDefinition {
  status:
    | 400
    | 401
    | 403
    | 404
    | 405
    | 408
    | 409
    | 413
    | 414
    | 415
    | 417
    | 421
    | 422
    | 429
    | 431
    | 499
    | 500
    | 502
    | 503
    | 504
    | 505
    | 508
  title: string
  challenge?: string
  retryAfterSeconds?: number
  log?: LogEntry
  type?: string
}

export const errors = {
  bad_request: { status: 400, title: 'The request cannot be read' },
  body_not_allowed: { status: 400, title: 'GET and HEAD take no body' },
  malformed_json: { status: 400, title: 'The body is not JSON' },
  client_address_unknown: {
    status: 400,
    title: 'The request did not come through the expected proxies',
    log: { level: 'error', message: 'client address unknown' },
  },

  query_invalid: { status: 400, title: 'The query does not fit its schema' },
  link_invalid: { status: 400, title: 'The link is no longer valid' },

  token_missing: { status: 401, title: 'An access token is required', challenge: 'Bearer' },
  invalid_token: {
    status: 401,
    title: 'The access token is not valid',
    challenge: 'Bearer error="invalid_token"',
  },
  claims_stale: {
    status: 401,
    title: 'What the token says has changed: refresh it and try again',
    challenge: 'Bearer error="invalid_token"',
  },
  session_ended: {
    status: 401,
    title: 'The session has ended',
    challenge: 'Bearer error="invalid_token"',
  },
  legacy_token: {
    status: 401,
    title: 'The token is of the former system: exchange it at /auth/exchange',
    challenge: 'Bearer error="invalid_token"',
  },
  legacy_token_missing: {
    status: 401,
    title: 'There is no token of the former system, in the body or in a cookie',
  },
  legacy_token_invalid: { status: 401, title: 'The token of the former system is not valid' },
  legacy_token_without_exp: { status: 401, title: 'The token of the former system never expires' },
  legacy_token_spent: { status: 401, title: 'The token of the former system was exchanged before' },
  legacy_issuer_ended: { status: 401, title: 'Tokens of the former system are exchanged no longer' },
  /** RFC 9470, section 3. */
  step_up_required: {
    status: 401,
    title: 'The session has to be authenticated again, or with another factor',
    challenge: 'Bearer error="insufficient_user_authentication"',
  },
  invalid_credentials: { status: 401, title: 'The email or the password is wrong' },
  refresh_missing: { status: 401, title: 'There is no refresh token, in the body or in a cookie' },
  refresh_invalid: { status: 401, title: 'The refresh token is not valid' },
  refresh_reused: { status: 401, title: 'The refresh token was used before; its session has ended' },
  /**
   * The challenge tells the gateway that its assertion was rejected, and not a credential of its
   * client.
   */
  untrusted_caller: {
    status: 401,
    title: 'The caller is not trusted by this service',
    challenge: assertionScheme,
  },

  /** A login was not finished within its time, its attempts or its password: it starts again. */
  mfa_token_invalid: { status: 401, title: 'The login has expired: start it again' },
  /** The password is right, and counts as no failed attempt. */
  mfa_required: { status: 403, title: 'A second factor is required' },
  email_unverified: { status: 403, title: 'The email address has to be verified first' },
  /** Apart from `validation_failed`, so that gateways count it as a failed attempt. */
  password_wrong: { status: 403, title: 'The password is wrong' },
  /** Not 401, on which clients refresh and repeat the request, and so the code. */
  code_wrong: { status: 403, title: 'The code is wrong, or was used before' },
  origin_not_allowed: { status: 403, title: 'Pages of this origin may not do this' },
  permission_required: {
    status: 403,
    title: 'A permission is missing',
    challenge: 'Bearer error="insufficient_scope"',
  },
  level_required: {
    status: 403,
    title: 'A higher role is required',
    challenge: 'Bearer error="insufficient_scope"',
  },
  scope_required: {
    status: 403,
    title: 'The token lacks a scope',
    challenge: 'Bearer error="insufficient_scope"',
  },
  escalation_refused: { status: 403, title: 'Not allowed for your role' },
  feature_required: {
    status: 403,
    title: 'The plan does not include this feature',
    challenge: 'Bearer error="insufficient_scope"',
  },
  /** The row of the policy table takes access tokens only. */
  api_key_not_accepted: {
    status: 403,
    title: 'API keys are not accepted here',
    challenge: 'Bearer error="insufficient_scope"',
  },
  network_not_allowed: { status: 403, title: 'The API key may not be used from this network' },

  not_found: { status: 404, title: 'Not found' },
  method_not_allowed: { status: 405, title: 'The method is not allowed here' },
  head_timeout: { status: 408, title: 'The request did not arrive in time' },
  body_timeout: { status: 408, title: 'The body did not arrive in time' },
  enrolment_missing: { status: 409, title: 'There is no authenticator app to confirm: begin again' },
  event_conflict: { status: 409, title: 'This id was used by another event' },
  event_outdated: { status: 409, title: 'A later event was applied before' },
  too_many_api_keys: { status: 409, title: 'The account has as many API keys as it may have' },
  name_taken: { status: 409, title: 'There is one of this name already' },
  in_use: { status: 409, title: 'It is in use' },
  tokens_too_large: { status: 409, title: 'Access tokens would be larger than a gateway accepts' },
  client_disabled: { status: 409, title: 'The client is disabled' },
  upkeep_running: { status: 409, title: 'This job is running already' },
  body_too_large: { status: 413, title: 'The body is too large' },
  target_too_long: { status: 414, title: 'The URL is too long' },
  unsupported_media_type: { status: 415, title: 'The body must be application/json' },
  expectation_failed: { status: 417, title: 'Expectation not supported' },
  misdirected_request: { status: 421, title: 'This host is not served here' },
  validation_failed: { status: 422, title: 'The body does not fit its schema' },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
  },
  too_many_fields: { status: 431, title: 'The header fields are too many or too large' },

  /** No client reads this status. The log needs it apart from internal failures. */
  client_closed_request: { status: 499, title: 'The client left' },

  internal_error: { status: 500, title: 'Something went wrong on our side' },
  upstream_unreachable: {
    status: 502,
    title: 'The upstream service cannot be reached',
    retryAfterSeconds: 1,
  },
  assertion_refused: {
    status: 502,
    title: 'The upstream service does not trust this gateway',
    retryAfterSeconds: 5,
  },
  keys_unavailable: { status: 503, title: 'Tokens cannot be checked right now', retryAfterSeconds: 2 },
  revocations_unavailable: {
    status: 503,
    title: 'It is not known yet which tokens were revoked',
    retryAfterSeconds: 2,
  },
  database_unavailable: { status: 503, title: 'The database cannot be reached', retryAfterSeconds: 2 },
  overloaded: {
    status: 503,
    title: 'Too busy right now',
    retryAfterSeconds: 1,
    log: { level: 'warn', message: 'request shed' },
  },
  verifier_unavailable: {
    status: 503,
    title: 'The password cannot be verified right now',
    retryAfterSeconds: 5,
  },
  upstream_timeout: {
    status: 504,
    title: 'The upstream service did not answer in time',
    retryAfterSeconds: 1,
  },
  http_version_not_supported: { status: 505, title: 'HTTP version not supported' },
  /** An upstream leads back to the gateway. */
  loop_detected: { status: 508, title: 'The request has passed through this gateway before' },
} as const satisfies Record<string, ErrorDefinition>

export type ErrorCode = keyof typeof errors

interface ProblemOptions {
  /** Members of the code, sent to the client beside the standard ones. */
  members?: Record<string, unknown>
  headers?: Record<string, string>
  /** For the log only. */
  cause?: unknown
}

/** The rejection of a request. The client gets `code` and `members`; `cause` stays in the log. */
export class Problem extends Error {
  readonly code: ErrorCode
  readonly status: number
  readonly members: Record<string, unknown>
  readonly headers: Record<string, string>
  /**
   * The row of the policy table that rejected the request, for metrics; undefined where none
   * matched.
   */
  route: { method: string; path: string } | undefined

  constructor(code: ErrorCode, { members = {}, headers = {}, cause }: ProblemOptions = {}) {
    super(code, { cause })
    this.name = 'Problem'
    this.code = code
    this.status = errors[code].status
    this.members = members
    this.headers = headers
  }
}

/**
 * @returns undefined for a rejection without a cause: the log would know no more than the response
 */
export function logEntryOf({ code, status, cause }: Problem): LogEntry | undefined {
  const { log }: ErrorDefinition = errors[code]
  if (log) return log
  if (status >= 500) return { level: 'error', message: 'request failed' }
  return cause === undefined ? undefined : { level: 'info', message: 'request refused' }
}

/** A problem as status, headers and body, for servers that write responses themselves. */
export interface FormattedProblem {
  status: number
  headers: Record<string, string>
  body: string
}

/**
 * Makes every error body (RFC 9457), except those of an `OAuthError`, which have the form of RFC
 * 6749 with our `code`.
 */
export function formatProblem(problem: Problem, requestId: string): FormattedProblem {
  const row: ErrorDefinition = errors[problem.code]
  const headers = {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    ...(row.challenge && { 'www-authenticate': row.challenge }),
    ...(row.retryAfterSeconds && { 'retry-after': String(row.retryAfterSeconds) }),
    ...problem.headers,
  }
  const body = {
    type: row.type ?? `urn:gatehouse:problem:${problem.code}`,
    title: row.title,
    status: row.status,
    code: problem.code,
    request_id: requestId,
    ...problem.members,
  }
  return { status: row.status, headers, body: JSON.stringify(body) }
}

export function problemResponse(problem: Problem, requestId: string): Response {
  const { body, ...head } = formatProblem(problem, requestId)
  return new Response(body, head)
}
