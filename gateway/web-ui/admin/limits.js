import { badge, element, moment } from '../dom.js'
import { choice, createFilters, createList, period, text } from './list.js'

/** @import { Page } from './admin.js' */

/** Requests and mails that a limit refused. @param {Page} page */
export async function showLimits({ call, attempt, filters }) {
  return element(
    'div',
    { class: 'stack' },
    element('h1', {}, 'Refused requests'),
    createFilters(
      'limits',
      filters,
      text('Key: an address, an account, a client', 'key'),
      choice('Limit', 'class', [
        ['', 'Any'],
        ['address', 'Anonymous requests'],
        ['mail', 'Requests for mail'],
        ['user', 'Quota of the plan'],
        ['account', 'Account and administration'],
        ['credentials', 'Wrong passwords'],
        ['login', 'Wrong passwords at one account'],
        ['links', 'Wrong mailed links'],
        ['clients', 'OAuth clients'],
        ['refresh', 'Wrong refresh tokens'],
        ['exchange', 'Tokens of former systems'],
        ['service', 'Requests of services'],
        ['mail_sender', 'Mails by who asked'],
        ['mail_recipient', 'Mails to one mailbox'],
        ['mail_domain', 'Mails to one domain'],
      ]),
      ...period(),
    ),
    await createList({
      call,
      attempt,
      list: 'GET /admin/rate-limit-logs',
      filters,
      caption: 'Requests and mails that a limit refused, the newest first',
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
