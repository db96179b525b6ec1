/**
 * Frame of the admin page: sign-in, views and messages.
 */

import { byId, element } from '../dom.js'
import { messageOf } from '../problem-messages.js'
import { createSession, ProblemError } from '../session.js'
import { createApi } from './api.js'
import { showAttempts } from './attempts.js'
import { showAudit } from './audit-log.js'
import { showClient, showClients } from './clients.js'
import { showFeatures } from './features.js'
import { showHealth } from './health.js'
import { showLimits } from './limits.js'
import { showPermissions } from './permissions.js'
import { showPlan, showPlans } from './plans.js'
import { showQuotas } from './quotas.js'
import { showRoles } from './roles.js'
import { showRoutes } from './routes.js'
import { showUser } from './user.js'
import { showUsers } from './users.js'

/**
 * Arguments of a view.
 *
 * @typedef {object} Page
 * @property {import('./api.js').Api} api
 * @property {import('../session.js').Session['call']} call
 * @property {string} subject shown part of the section; empty for all of it
 * @property {URLSearchParams} filters
 * @property {(text: string) => void} say
 * @property {(work: () => Promise<void>) => Promise<void>} attempt runs it, and shows a rejection
 * @property {AbortSignal} left aborted when another view takes the place
 */

/** @type {Record<string, (page: Page) => Promise<HTMLElement>>} */
const views = {
  users: (page) => (page.subject ? showUser(page) : showUsers(page)),
  roles: showRoles,
  permissions: showPermissions,
  plans: (page) => (page.subject ? showPlan(page) : showPlans(page)),
  features: showFeatures,
  quotas: showQuotas,
  clients: (page) => (page.subject ? showClient(page) : showClients(page)),
  audit: showAudit,
  attempts: showAttempts,
  limits: showLimits,
  routes: showRoutes,
  health: showHealth,
}

const door = byId('door')
const house = byId('house')
const signIn = /** @type {HTMLFormElement} */ (byId('sign-in'))

const session = createSession({ onEnded: () => openDoor('Your session has ended: sign in again.') })

const api = createApi(session.call)

let leaving = new AbortController()

/** @param {string} [notice] */
function openDoor(notice = '') {
  leaving.abort()
  house.hidden = true
  door.hidden = false
  byId('view').replaceChildren()
  byId('door-notice').textContent = notice
  const email = signIn.querySelector('input')
  email?.focus()
}

function enter() {
  const { email = '', role = '' } = session.claims() ?? {}
  byId('self').replaceChildren(element('span', {}, email), ' ', element('span', { class: 'badge' }, role))
  door.hidden = true
  house.hidden = false
  signIn.reset()
  void show()
}

signIn.addEventListener('submit', async (event) => {
  event.preventDefault()
  const fields = new FormData(signIn)
  const button = signIn.querySelector('button')
  if (button) button.disabled = true
  try {
    await session.signIn(String(fields.get('email')), String(fields.get('password')))
    enter()
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error
    byId('door-notice').textContent = messageOf(error.problem)
  } finally {
    if (button) button.disabled = false
  }
})

byId('sign-out').addEventListener('click', () =>
  attempt(async () => {
    await session.signOut()
    openDoor()
  }),
)

/** @param {string} text */
function say(text) {
  byId('refusal').textContent = ''
  byId('notice').textContent = text
}

/** @param {unknown} error */
function refuse(error) {
  if (!(error instanceof ProblemError)) throw error
  byId('notice').textContent = ''
  byId('refusal').textContent = messageOf(error.problem)
}

/** @param {() => Promise<void>} work */
async function attempt(work) {
  try {
    await work()
  } catch (error) {
    refuse(error)
  }
}

/** Shows the view in the URL fragment: `#/users/ID?filter=value`. */
async function show() {
  const [path = '', query = ''] = location.hash.slice(2).split('?')
  const [section = '', subject = ''] = path.split('/')
  const view = Object.hasOwn(views, section) ? views[section] : undefined
  if (!view) {
    location.replace('#/users')
    return
  }
  leaving.abort()
  leaving = new AbortController()
  const { signal: left } = leaving
  say('')
  for (const link of document.querySelectorAll('nav a')) {
    if (link.getAttribute('href') === `#/${section}`) link.setAttribute('aria-current', 'page')
    else link.removeAttribute('aria-current')
  }
  const filters = new URLSearchParams(query)
  await attempt(async () => {
    try {
      const shown = await view({
        api,
        call: session.call,
        subject: decodeURIComponent(subject),
        filters,
        say,
        attempt,
        left,
      })
      if (!left.aborted) present(shown)
    } catch (error) {
      // Errors of a view that is no longer shown are ignored.
      if (left.aborted) return
      byId('view').replaceChildren()
      throw error
    }
  })
}

const product = document.querySelector('meta[name="application-name"]')?.getAttribute('content')

/**
 * Moves the focus to the title of the view, for keyboards and screen readers.
 *
 * @param {HTMLElement} shown
 */
function present(shown) {
  byId('view').replaceChildren(shown)
  const title = shown.querySelector('h1')
  title?.setAttribute('tabindex', '-1')
  title?.focus()
  document.title = `${title?.textContent ?? 'Administration'} · ${product}`
}

addEventListener('hashchange', () => {
  if (!house.hidden && location.hash.startsWith('#/')) void show()
})

if (await session.resume()) enter()
else openDoor()
