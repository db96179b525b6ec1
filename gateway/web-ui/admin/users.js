import { badge, element, moment } from '../dom.js'
import { choice, createFilters, createList, text } from './list.js'
import { readAll } from './read-all.js'

/** @import { Page } from './admin.js' */
/** @import { UserItem } from '../../../shared/contract.ts' */

/** @param {Page} page */
export async function showUsers({ call, attempt, filters }) {
  const roles = await readAll(call, 'GET /admin/roles')
  const byLevel = roles.toSorted((one, other) => one.level - other.level)
  /** @type {HTMLElement} */
  const list = await createList({
    call,
    attempt,
    list: 'GET /admin/users',
    filters,
    caption: 'Accounts by address',
    empty: 'No account fits.',
    columns: [
      {
        title: 'Address',
        cell: ({ id, email }) => element('a', { href: `#/users/${id}` }, email),
      },
      { title: 'Name', cell: ({ display_name: name }) => name ?? element('span', { class: 'quiet' }, '–') },
      { title: 'Role', cell: ({ role }) => badge(role) },
      { title: 'Status', cell: statusOf },
      { title: 'Since', cell: ({ created_at: at }) => moment(at) },
    ],
  })
  return element(
    'div',
    { class: 'stack' },
    element('h1', {}, 'Users'),
    createFilters(
      'users',
      filters,
      text('Address begins with', 'email_prefix', 'search'),
      choice('Role', 'role', [
        ['', 'Any'],
        ...byLevel.map(({ name }) => /** @type {const} */ ([name, name])),
      ]),
      choice('Status', 'status', [
        ['', 'Any'],
        ['active', 'Active'],
        ['disabled', 'Locked'],
      ]),
    ),
    list,
  )
}

/** @param {Pick<UserItem, 'status' | 'email_verified'>} user */
export function statusOf({ status, email_verified: isVerified }) {
  if (status === 'disabled') return badge('Locked', 'bad')
  return isVerified ? badge('Active', 'good') : badge('Not verified', 'warn')
}
