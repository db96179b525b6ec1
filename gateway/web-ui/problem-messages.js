/**
 * Messages for problem codes (shared/http/errors.ts) and for `unreachable` of session.js; where a
 * code has none, its title is shown.
 */

/** @import { Problem } from './session.js' */

/** @type {Record<string, (problem: Problem) => string>} */
const messages = {
  invalid_credentials: () => 'The email or the password is wrong.',
  email_unverified: () => 'This address has to be verified first: the link is in the mail.',
  mfa_required: () => 'This account has a second factor: sign in again with its code.',
  mfa_token_invalid: () => 'The sign-in has expired: start again.',
  code_wrong: () => 'The code is wrong, or was used before: take the next one.',
  password_wrong: () => 'The password is wrong.',
  step_up_required: ({ acr_values: acr }) =>
    acr === undefined ? 'Confirm that it is you first.' : 'This takes a second factor on your account.',
  rate_limited: ({ retryAfterSeconds }) => `Too many requests: try again ${inTime(retryAfterSeconds)}.`,
  overloaded: ({ retryAfterSeconds }) => `Too busy right now: try again ${inTime(retryAfterSeconds)}.`,
  permission_required: ({ required_permissions: required }) =>
    `You lack a permission: ${[...(required?.all ?? []), ...(required?.any ?? [])].join(', ')}.`,
  level_required: ({ required_level: level }) => `This takes a role of level ${level} or above.`,
  feature_required: ({ required_feature: feature, minimum_plan: plan }) =>
    `The plan does not include ${feature}${plan ? `: ${plan} does` : ''}.`,
  escalation_refused: ({ reason }) => escalations[reason ?? ''] ?? 'This reaches beyond your own role.',
  name_taken: () => 'There is one of this name already.',
  in_use: ({ used_by: by = '', count }) => `This is in use: ${(users[by] ?? (() => by))(count ?? 0)}.`,
  tokens_too_large: ({ size, limit, role, plan }) =>
    `Access tokens would have up to ${size} characters, for ${role} on ${plan}; a gateway accepts ${limit}.`,
  client_disabled: () => 'The client is disabled.',
  not_found: () => 'There is nothing here any more.',
  validation_failed: ({ errors = [] }) =>
    errors.map(({ pointer, detail }) => `${nameOf(pointer)} ${detail}`.trim()).join('; ') ||
    'The form does not fit.',
  query_invalid: ({ errors = [] }) =>
    errors.map(({ parameter = '', detail }) => `${nameOf(parameter)}: ${detail}`).join('; ') ||
    'The filter does not fit.',
  refresh_reused: () => 'This session was used somewhere else and has ended: sign in again.',
  session_ended: () => 'Your session has ended: sign in again.',
  unreachable: () => 'The gateway cannot be reached: are you online?',
}

/** @param {string} one @param {string} many @returns {(count: number) => string} */
const counted = (one, many) => (count) => `${count} ${count === 1 ? one : many}`

/** @type {Record<string, (count: number) => string>} */
const users = {
  accounts: counted('account has it', 'accounts have it'),
  subscriptions: counted(
    'subscription has it, past ones counted',
    'subscriptions have it, past ones counted',
  ),
  roles: counted('role has it', 'roles have it'),
  plans: counted('plan has it', 'plans have it'),
  new_accounts: () => 'new accounts get it',
  accounts_without_subscription: () => 'accounts without a subscription have it',
  own_routes: () => 'routes of this service require it',
}

/** @type {Record<string, string>} */
const escalations = {
  own_account: 'Nobody changes their own account.',
  target_at_or_above: 'This account is at your own level or above it.',
  role_above_own: 'This role is above your own.',
  superadmin_only: 'Only a superadmin does this.',
  role_at_or_above: 'This role is at your own level or above it.',
  permission_not_held: 'You can only give or change permissions that you hold yourself.',
}

/**
 * @param {Problem} problem
 * @returns {string}
 */
export function messageOf(problem) {
  const message = Object.hasOwn(messages, problem.code) ? messages[problem.code] : undefined
  return message ? message(problem) : `${problem.title}.`
}

/** @param {number | undefined} seconds */
function inTime(seconds) {
  if (seconds === undefined) return 'in a while'
  return seconds < 120 ? `in ${seconds} s` : `in ${Math.ceil(seconds / 60)} minutes`
}

/**
 * Field name of a JSON pointer.
 *
 * @param {string | undefined} pointer
 */
function nameOf(pointer = '') {
  const [name = ''] = pointer.split('/').filter(Boolean)
  return name.replaceAll('_', ' ')
}
