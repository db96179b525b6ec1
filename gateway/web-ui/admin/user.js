import { badge, element, moment } from '../dom.js'
import { createApiKeyTable } from './api-keys.js'
import { ask } from './ask.js'
import { createList } from './list.js'
import { readAll } from './read-all.js'
import { planForm } from './user-plan.js'
import { statusOf } from './users.js'

/** @import { Page } from './admin.js' */
/**
 * @import { RoleResponse } from '../../../shared/contract.ts'
 * @import { SessionItem, UserResponse } from '../../../shared/contract.ts'
 */

/**
 * One account: its data, actions, sessions and API keys.
 * @param {Page} page
 */
export async function showUser({ api, call, attempt, say, subject, left }) {
  const params = { id: subject }
  const view = element('div', { class: 'stack' })

  /** @param {string} [done] */
  async function load(done = '') {
    const [user, roles, { plans }] = await Promise.all([
      api('GET /admin/users/{id}', { params }),
      readAll(call, 'GET /admin/roles'),
      api('GET /v1/plans', {}),
    ])
    const sessions = await createList({
      call,
      attempt,
      list: 'GET /admin/users/{id}/sessions',
      params,
      caption: 'Live sessions, the newest first',
      empty: 'Signed in nowhere.',
      columns: [
        { title: 'Device', cell: ({ user_agent: device }) => device ?? 'unknown' },
        { title: 'Address', cell: ({ ip }) => ip ?? '–' },
        { title: 'Since', cell: ({ created_at: at }) => moment(at) },
        { title: 'Last used', cell: ({ last_used_at: at }) => moment(at) },
        { title: '', cell: endButton },
      ],
    })
    const keys = await createApiKeyTable({ api, params, change })
    if (left.aborted) return
    view.replaceChildren(
      heading(user),
      element(
        'section',
        { class: 'card', 'aria-label': 'Account' },
        facts(user),
        actions(user, roles),
        planForm(user, plans, book),
      ),
      element(
        'div',
        { class: 'row between' },
        element('h2', {}, 'Sessions'),
        element(
          'button',
          { type: 'button', class: 'small grave', click: () => change(endAll(user)) },
          'End all sessions',
        ),
      ),
      sessions,
      element('h2', {}, 'API keys'),
      keys,
    )
    if (done) say(done)
  }

  /**
   * Asks for confirmation if needed, makes the change, and reloads the account.
   *
   * @param {Change} change
   */
  function change({ question, run, done }) {
    return attempt(async () => {
      const answered = question ? await ask(question) : { reason: '' }
      if (!answered) return
      await run(answered.reason)
      await load(done)
    })
  }

  /**
   * @typedef {object} Change
   * @property {Parameters<typeof ask>[0]} [question]
   * @property {(reason: string) => Promise<unknown>} run
   * @property {string} done
   */

  /** @param {UserResponse} user @returns {Change} */
  const lock = ({ email }) => ({
    question: {
      title: `Lock ${email}?`,
      text: 'All sessions end at once, and nobody logs in until it is unlocked.',
      yes: 'Lock',
      withReason: true,
    },
    run: (reason) => api('POST /admin/users/{id}/lock', { params, body: reason ? { reason } : {} }),
    done: `${email} is locked.`,
  })

  /** @param {UserResponse} user @returns {Change} */
  const unlock = ({ email }) => ({
    run: () => api('POST /admin/users/{id}/unlock', { params }),
    done: `${email} is unlocked.`,
  })

  /** @param {UserResponse} user @param {string} role @returns {Change} */
  const giveRole = ({ email, role: before }, role) => ({
    question: {
      title: `Make ${email} ${role}?`,
      text: `The role is ${before} now. What the account may do changes at once, in every open session.`,
      yes: 'Change role',
    },
    run: () => api('PUT /admin/users/{id}/role', { params, body: { role } }),
    done: `${email} is ${role} now.`,
  })

  /** @param {UserResponse} user @param {string} plan @param {string | null} end */
  const book = ({ email, plan: before }, plan, end) =>
    change({
      question: {
        title: `Book ${plan} for ${email}?`,
        text: `The plan is ${before} now. What it includes changes at once, in every open session.`,
        yes: 'Change plan',
      },
      run: () => api('PUT /admin/users/{id}/subscription', { params, body: { plan, period_ends_at: end } }),
      done: `${email} has ${plan} now.`,
    })

  /** @param {UserResponse} user @returns {Change} */
  const endAll = ({ email }) => ({
    question: {
      title: `End all sessions of ${email}?`,
      text: 'Each device has to log in again.',
      yes: 'End sessions',
    },
    run: () => api('DELETE /admin/users/{id}/sessions', { params }),
    done: 'All sessions have ended.',
  })

  /** @param {SessionItem} session */
  function endButton({ id, user_agent: device }) {
    const end = {
      run: () =>
        api('DELETE /admin/users/{id}/sessions/{session_id}', { params: { ...params, session_id: id } }),
      done: 'The session has ended.',
    }
    const label = `End the session of ${device ?? 'an unknown device'}`
    return element(
      'button',
      { type: 'button', class: 'small', 'aria-label': label, click: () => change(end) },
      'End',
    )
  }

  /** @param {UserResponse} user @param {RoleResponse[]} roles */
  function actions(user, roles) {
    const byLevel = roles.toSorted((one, other) => one.level - other.level)
    const select = element(
      'select',
      { name: 'role' },
      ...byLevel.map(({ name }) => element('option', { value: name, selected: name === user.role }, name)),
    )
    const form = element(
      'form',
      { class: 'row' },
      element('label', {}, 'Role', select),
      element('button', {}, 'Change role'),
    )
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      change(giveRole(user, select.value))
    })
    const isLocked = user.status === 'disabled' || user.locked_until !== null
    return element(
      'div',
      { class: 'actions row between' },
      form,
      element(
        'div',
        { class: 'row' },
        isLocked
          ? element(
              'button',
              { type: 'button', class: 'primary', click: () => change(unlock(user)) },
              'Unlock',
            )
          : null,
        user.status === 'active'
          ? element('button', { type: 'button', class: 'grave', click: () => change(lock(user)) }, 'Lock')
          : null,
      ),
    )
  }

  await load()
  return view
}

/** @param {UserResponse} user */
function heading({ id, email }) {
  return element(
    'div',
    { class: 'row between' },
    element('div', {}, element('h1', {}, email), element('code', { class: 'quiet' }, id)),
    element(
      'span',
      { class: 'row' },
      element('a', { href: `#/audit?user_id=${id}` }, 'Audit log'),
      element('a', { href: `#/attempts?user_id=${id}` }, 'Login attempts'),
    ),
  )
}

/** @param {UserResponse} user */
function facts(user) {
  /** @type {[string, Node | string][]} */
  const pairs = [
    ['Status', statusOf(user)],
    ['Name', user.display_name ?? '–'],
    ['Role', `${user.role} (level ${user.level})`],
    ['Plan', user.plan],
    ['Since', moment(user.created_at)],
  ]
  if (user.locked_until) {
    const until = element('span', {}, badge('failed logins', 'warn'), ' until ', moment(user.locked_until))
    pairs.splice(1, 0, ['Strangers locked out', until])
  }
  return element(
    'dl',
    { class: 'facts' },
    ...pairs.map(([name, value]) => element('div', {}, element('dt', {}, name), element('dd', {}, value))),
  )
}
