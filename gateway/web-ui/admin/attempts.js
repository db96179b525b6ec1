import { badge, element, moment } from '../dom.js'
import { accountLink } from './audit-log.js'
import { choice, createFilters, createList, period, text } from './list.js'

/** @import { Page } from './admin.js' */

/** Login attempts. @param {Page} page */
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
      ...period(),
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
