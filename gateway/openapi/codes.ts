import type { ErrorCode } from '../../shared/http/errors.ts'
import type { Route } from '../policy/policy.ts'
import type { OperationContract } from './operations/contract.ts'

/** What any request may be told, whatever it asks for. */
const always: readonly ErrorCode[] = [
  'bad_request',
  'client_address_unknown',
  'head_timeout',
  'target_too_long',
  'expectation_failed',
  'misdirected_request',
  'rate_limited',
  'too_many_fields',
  'internal_error',
  'upstream_unreachable',
  'assertion_refused',
  'overloaded',
  'upstream_timeout',
  'http_version_not_supported',
  'loop_detected',
]

const ofCallers: readonly ErrorCode[] = [
  'token_missing',
  'invalid_token',
  'claims_stale',
  'session_ended',
  'keys_unavailable',
  'revocations_unavailable',
]

const ofBodies: readonly ErrorCode[] = ['body_too_large', 'body_timeout']

const ofJson: readonly ErrorCode[] = ['malformed_json', 'unsupported_media_type', 'validation_failed']

/** The rejections of a row that follow from what it asks for; no contract has to name them. */
export function codesOfRow(route: Route): ErrorCode[] {
  return [
    ...always,
    ...(route.who === 'user' ? ofCallers : []),
    ...(route.permissions ? (['permission_required'] as const) : []),
    ...(route.level === undefined ? [] : (['level_required'] as const)),
    ...(route.features ? (['feature_required'] as const) : []),
    ...(route.upstream === 'origin' ? (['database_unavailable'] as const) : []),
    ...(route.method === 'GET' ? (['body_not_allowed'] as const) : []),
    ...(route.path.includes('{') ? (['not_found'] as const) : []),
  ]
}

/** Those of what goes in, and those that the contract names. */
export function codesOfContract({ body, form, query, problems = [] }: OperationContract): ErrorCode[] {
  return [
    ...(body ? [...ofJson, ...ofBodies] : []),
    ...(form ? ofBodies : []),
    ...(query ? (['query_invalid'] as const) : []),
    ...problems,
  ]
}
