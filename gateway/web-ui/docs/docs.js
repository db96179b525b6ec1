/**
 * The API description in Swagger UI, which calls as the signed-in user.
 */

import { byId, element } from '../dom.js'
import { messageOf } from '../problem-messages.js'
import { createSession, ProblemError } from '../session.js'

/**
 * Used part of Swagger UI.
 *
 * @typedef {object} SwaggerUi
 * @property {(scheme: string, token: string) => void} preauthorizeApiKey
 * @property {{ logout: (schemes: string[]) => void }} authActions
 *
 * @typedef {object} ConsoleResponse
 * @property {string} url
 * @property {number} status
 * @property {Record<string, string>} headers
 * @property {string} text
 */

/** Security scheme in the description. */
const scheme = 'accessToken'

const form = /** @type {HTMLFormElement} */ (byId('sign-in'))
const notice = byId('notice')
const session = createSession({
  onEnded: () => {
    notice.textContent = 'Your session has ended: sign in again.'
    showCaller()
  },
})

const night = matchMedia('(prefers-color-scheme: dark)')
const followNight = () => document.documentElement.classList.toggle('dark-mode', night.matches)
night.addEventListener('change', followNight)
followNight()

const { SwaggerUIBundle } = /** @type {{ SwaggerUIBundle: (options: object) => SwaggerUi }} */ (
  /** @type {unknown} */ (globalThis)
)

/** `validatorUrl: null` keeps the description from an external validator. */
const ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: -1,
  displayRequestDuration: true,
  persistAuthorization: false,
  validatorUrl: null,
  onComplete: start,
  responseInterceptor: applyEffects,
})

async function start() {
  await session.resume()
  showCaller()
}

let isAuthorized = false

/** @param {string} token */
function authorize(token) {
  ui.preauthorizeApiKey(scheme, token)
  isAuthorized = true
}

/**
 * Calls use the token of the signed-in user; the lock beside each operation shows it and accepts
 * another token.
 */
function showCaller() {
  const token = session.accessToken()
  const { email = '', role = '' } = session.claims() ?? {}
  if (token !== undefined) authorize(token)
  else if (isAuthorized) {
    ui.authActions.logout([scheme])
    isAuthorized = false
  }
  byId('self').replaceChildren(element('span', {}, email), ' ', element('span', { class: 'badge' }, role))
  byId('signed-in').hidden = token === undefined
  form.hidden = token !== undefined
}

/** @param {() => Promise<void>} work */
async function attempt(work) {
  notice.classList.remove('refused')
  notice.textContent = ''
  try {
    await work()
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error
    notice.classList.add('refused')
    notice.textContent = messageOf(error.problem)
  }
}

form.addEventListener('submit', (event) => {
  event.preventDefault()
  const fields = new FormData(form)
  void attempt(async () => {
    await session.signIn(String(fields.get('email')), String(fields.get('password')))
    form.reset()
    showCaller()
  })
})

byId('sign-out').addEventListener('click', () =>
  attempt(async () => {
    await session.signOut()
    showCaller()
  }),
)

/**
 * Applies the effects of calls: a login sets the user of the next call, and a stale token is
 * renewed.
 *
 * @param {ConsoleResponse} response
 */
async function applyEffects(response) {
  const { pathname } = new URL(response.url, location.href)
  if (response.status === 200 && /^\/auth\/(login|refresh)$/.test(pathname))
    authorize(JSON.parse(response.text).access_token)
  if (response.status === 401 && session.accessToken() !== undefined && isStale(response.text)) {
    await attempt(async () => {
      await session.renew()
      showCaller()
      notice.textContent = 'The token was no longer good and has been renewed: send the request again.'
    })
  }
  return response
}

/** @param {string} text */
const isStale = (text) => /"code":"(claims_stale|invalid_token)"/.test(text)
