import type { ErrorCode } from '../../shared/http/errors.ts'
import type { CompiledRow } from '../policy/policy.ts'

/** Codes that the gateway may return for any request. */
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
  'invalid_token',
  'legacy_token',
  'claims_stale',
  'session_ended',
  'keys_unavailable',
  'revocations_unavailable',
]

const ofKeys: readonly ErrorCode[] = ['network_not_allowed', 'feature_required']

/** The rejections of a row that follow from what it asks for; no contract has to name them. */
export function codesOfRow(row: CompiledRow): ErrorCode[] {
  return [
    ...always,
    ...(row.who === 'user' ? (['token_missing'] as const) : []),
    ...(row.who === 'public' ? [] : ofCallers),
    ...(row.who === 'public' ? [] : row.keys ? ofKeys : (['api_key_not_accepted'] as const)),
    ...(row.permissions ? (['permission_required'] as const) : []),
    ...(row.level === undefined ? [] : (['level_required'] as const)),
    ...(row.features ? (['feature_required'] as const) : []),
    ...(row.acr || row.max_age_seconds ? (['step_up_required'] as const) : []),
    ...(row.upstream === 'origin' ? (['database_unavailable'] as const) : []),
    ...(row.method === 'GET' ? (['body_not_allowed'] as const) : []),
    ...(row.path.includes('{') ? (['not_found'] as const) : []),
  ]
}
