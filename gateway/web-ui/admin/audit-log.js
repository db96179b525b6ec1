import { badge, element, moment } from '../dom.js'
import { detailsOf } from './details.js'
import { createFilters, createList, period, text } from './list.js'

/** @import { Page } from './admin.js' */
/** @import { AuditLogItem } from '../../../shared/contract.ts' */

/** The audit log. @param {Page} page */
export async function showAudit({ call, attempt, filters }) {
  return element(
    'div',
    { class: 'stack' },
    element('h1', {}, 'Audit log'),
    createFilters(
      'audit',
      filters,
      text('Address of the account', 'email', 'email'),
      text('Action, such as login.failed', 'action'),
      text('Concerns the account (id)', 'user_id'),
      text('Done by the account (id)', 'actor_id'),
      ...period(),
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
        { title: 'Account', cell: ({ user_id: id, user_email: email }) => accountLink(id, email) },
        { title: 'By', cell: ({ actor_id: id, actor_email: email }) => accountLink(id, email) },
        { title: 'From', cell: ({ ip }) => ip ?? '–' },
        { title: 'Details', cell: facts },
      ],
    }),
  )
}

/** @param {string} action */
const moodOf = (action) =>
  /(failed|refused|denied|reused|revoked|\.locked|\.disabled|removed|deleted)$/.test(action) ? 'warn' : ''

/**
 * Details in words, and behind them the members that join the event to logs.
 *
 * @param {AuditLogItem} item
 */
function facts({ details, session_id: session, request_id: request, user_agent: device }) {
  const more = detailsOf({
    ...(device !== null && { device }),
    ...(session !== null && { session }),
    ...(request !== null && { request }),
  })
  return element(
    'div',
    { class: 'facts-cell' },
    detailsOf(details),
    more && element('details', {}, element('summary', {}, 'Request'), more),
  )
}

/**
 * The address of an account with its id; the id alone where the account is gone.
 *
 * @param {string | null} id
 * @param {string | null} [email]
 */
export function accountLink(id, email = null) {
  if (id === null) return element('span', { class: 'quiet' }, '–')
  const short = id.slice(0, 8)
  return element(
    'span',
    { class: 'account' },
    element(
      'a',
      { href: `#/users/${id}`, title: id, 'aria-label': `Account ${email ?? id}` },
      email ?? short,
    ),
    email === null ? null : element('code', { class: 'quiet', title: id }, short),
  )
}
