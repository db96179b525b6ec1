/** Views of the audit log, login attempts and rate-limited requests. */

import { badge, element, moment } from '../dom.js'
import { choice, createFilters, createList, text } from './list.js'

/** @import { Page } from './admin.js' */
/** @import { AuditLogItem } from '../../../shared/contract.ts' */

/** @param {Page} page */
export async function showAudit({ call, attempt, filters }) {
  return element(
    'div',
    { class: 'stack' },
    element('h1', {}, 'Audit log'),
    createFilters(
      'audit',
      filters,
      text('Action, such as login.failed', 'action'),
      text('Concerns the account (id)', 'user_id'),
      text('Done by the account (id)', 'actor_id'),
    ),
    await createList({
      call,
      attempt,
      list: 'GET /admin/audit-logs',
      filters,
      caption: 'Security events, the newest first',
      empty: 'Nothing of this kind happened.',
      columns: [
        { title: 'When', cell: ({ created_at: at }) => moment(at) },
        { title: 'What', cell: ({ action }) => badge(action, moodOf(action)) },
        { title: 'Account', cell: ({ user_id: id }) => accountLink(id) },
        { title: 'By', cell: ({ actor_id: id }) => accountLink(id) },
        { title: 'From', cell: ({ ip }) => ip ?? '–' },
        { title: 'Details', cell: detailsOf },
      ],
    }),
  )
}

/** @param {string} action */
const moodOf = (action) =>
  /(failed|refused|denied|reused|revoked|\.locked|\.disabled)$/.test(action) ? 'warn' : ''

/** @param {AuditLogItem} item */
function detailsOf({ details }) {
  return Object.keys(details).length === 0 ? '' : element('code', {}, JSON.stringify(details).slice(1, -1))
}

/** @param {string | null} id */
function accountLink(id) {
  if (id === null) return element('span', { class: 'quiet' }, '–')
  return element('a', { href: `#/users/${id}`, title: id, 'aria-label': `Account ${id}` }, id.slice(0, 8))
}

/** @param {Page} page */
export async function showAttempts({ call, attempt, filters }) {
  return element(
    'div',
    { class: 'stack' },
    element('h1', {}, 'Login attempts'),
    createFilters(
      'attempts',
      filters,
      text('Address', 'email', 'email'),
      text('From (IP)', 'ip'),
      text('Account (id)', 'user_id'),
      choice('Outcome', 'outcome', [
        ['', 'Any'],
        ['succeeded', 'Succeeded'],
        ['failed', 'Failed'],
      ]),
    ),
    await createList({
      call,
      attempt,
      list: 'GET /admin/login-attempts',
      filters,
      caption: 'Logins that were tried, the newest first',
      empty: 'Nobody tried.',
      columns: [
        { title: 'When', cell: ({ created_at: at }) => moment(at) },
        { title: 'Address', cell: ({ email }) => email },
        {
          title: 'Outcome',
          cell: ({ outcome, reason }) =>
            outcome === 'succeeded' ? badge('succeeded', 'good') : badge(reason ?? 'failed', 'warn'),
        },
        { title: 'From', cell: ({ ip }) => ip ?? '–' },
        { title: 'Device', cell: ({ user_agent: device }) => device ?? '–' },
        { title: 'Account', cell: ({ user_id: id }) => accountLink(id) },
      ],
    }),
  )
}

/** @param {Page} page */
export async function showLimits({ call, attempt, filters }) {
  return element(
    'div',
    { class: 'stack' },
    element('h1', {}, 'Refused requests'),
    createFilters(
      'limits',
      filters,
      text('Key: an address or an account', 'key'),
      choice('Limit', 'class', [
        ['', 'Any'],
        ['address', 'Anonymous requests'],
        ['mail', 'Requests for mail'],
        ['user', 'Quota of the plan'],
        ['account', 'Account and administration'],
        ['credentials', 'Wrong passwords'],
        ['links', 'Wrong mailed links'],
        ['clients', 'OAuth clients'],
        ['refresh', 'Wrong refresh tokens'],
        ['exchange', 'Tokens of former systems'],
      ]),
    ),
    await createList({
      call,
      attempt,
      list: 'GET /admin/rate-limit-logs',
      filters,
      caption: 'Requests that a limit refused, the newest first',
      empty: 'No limit was hit.',
      columns: [
        { title: 'When', cell: ({ created_at: at }) => moment(at) },
        { title: 'Limit', cell: ({ class: name }) => badge(name) },
        { title: 'Key', cell: ({ key }) => key },
        { title: 'Route', cell: ({ method, route }) => element('code', {}, `${method} ${route}`) },
        { title: 'Requests', cell: ({ count }) => count, isNumber: true },
      ],
    }),
  )
}
