import { askCredential } from './ask-credential.js'
import { messageOf } from './problem-messages.js'

/**
 * Session of a browser: the access token is only in this module's memory, the refresh token in a
 * cookie that scripts cannot read.
 */

/**
 * A problem of the gateway (RFC 9457), with the members that the page shows.
 *
 * @typedef {object} Problem
 * @property {string} code
 * @property {string} title
 * @property {number} status
 * @property {string} [request_id]
 * @property {string} [reason]
 * @property {string} [mfa_token]
 * @property {string} [acr_values]
 * @property {number} [required_level]
 * @property {string} [required_feature]
 * @property {string | null} [minimum_plan]
 * @property {{ all?: string[], any?: string[] }} [required_permissions]
 * @property {{ pointer?: string, parameter?: string, detail: string }[]} [errors]
 * @property {string} [used_by]
 * @property {number} [count]
 * @property {number} [size]
 * @property {number} [limit]
 * @property {string} [role]
 * @property {string} [plan]
 * @property {number} [retryAfterSeconds] from the response's head
 */

/**
 * Claims of an access token. @typedef
 * {{ sid: string, sub: string, email: string, role: string, level: number, permissions: string[] }}
 * Claims
 */

export class ProblemError extends Error {
  /** @param {Problem} problem */
  constructor(problem) {
    super(problem.code)
    this.name = 'ProblemError'
    this.problem = problem
  }
}

/** Marks that a session may exist; the session itself is in the cookie. */
const hint = 'gatehouse-signed-in'

/**
 * Codes of a stale token with a possibly valid session: refresh once, then repeat the request.
 */
const refreshable = new Set(['claims_stale', 'invalid_token'])

/**
 * No cookie arrived, or the page's host is not that of ISSUER_URL.
 */
const cookieless = new Set(['refresh_missing', 'origin_not_allowed'])

/**
 * @param {object} options
 * @param {() => void} options.onEnded called when the session has ended
 */
export function createSession({ onEnded }) {
  /** @type {string | undefined} */
  let accessToken
  /**
   * Set only where cookies do not work, as without TLS in some browsers; then kept in memory like
   * the access token.
   *
   * @type {string | undefined}
   */
  let refreshToken
  /** @type {'cookie' | 'body'} */
  let delivery = 'cookie'
  /** @type {Promise<void> | undefined} */
  let refreshing

  /** @param {{ access_token: string, refresh_token?: string }} tokens */
  function keep(tokens) {
    accessToken = tokens.access_token
    refreshToken = tokens.refresh_token
    localStorage.setItem(hint, '1')
  }

  function forget() {
    accessToken = undefined
    refreshToken = undefined
    localStorage.removeItem(hint)
  }

  /** The token's own field, so that the body is `{}` in cookie mode. */
  const presented = () => (refreshToken === undefined ? {} : { refresh_token: refreshToken })

  /**
   * One refresh at a time, shared by concurrent callers. Two tabs that refresh at once get the same
   * successor from the origin.
   *
   * @returns {Promise<void>}
   */
  function refresh() {
    refreshing ??= post('/auth/refresh', presented())
      .then(async (response) => keep(await response.json()))
      .finally(() => {
        refreshing = undefined
      })
    return refreshing
  }

  /** @throws {ProblemError} */
  async function renew() {
    try {
      await refresh()
    } catch (error) {
      if (!(error instanceof ProblemError) || error.problem.status >= 500 || error.problem.status === 429)
        throw error
      // The next sign-in uses delivery in the body, so this happens only once.
      if (cookieless.has(error.problem.code)) delivery = 'body'
      forget()
      onEnded()
      throw new ProblemError({ ...error.problem, code: 'session_ended' })
    }
  }

  /**
   * @param {string} path
   * @param {{ method?: string, body?: unknown }} [init]
   * @returns {Promise<Response>}
   * @throws {ProblemError}
   */
  async function call(path, init = {}) {
    try {
      return await send(path, { ...init, accessToken })
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error
      if (error.problem.code === 'session_ended') {
        forget()
        onEnded()
      }
      if (accessToken && error.problem.code === 'step_up_required') await stepUp(error.problem)
      else if (accessToken && refreshable.has(error.problem.code)) await renew()
      else throw error
      return send(path, { ...init, accessToken })
    }
  }

  /**
   * Authenticates the session again: by a code where the account has a second factor.
   *
   * @param {Problem} required
   * @throws {ProblemError} the required one if the user cancels, or has no second factor
   */
  async function stepUp(required) {
    const { totp } = await (await send('/auth/factors', { accessToken })).json()
    if (required.acr_values !== undefined && !totp) throw new ProblemError(required)
    const response = await repeatUntilRight(totp ? 'code' : 'password', required, (answer) =>
      send('/auth/step-up', {
        method: 'POST',
        accessToken,
        body: totp ? codeOf(answer) : { factor: 'password', password: answer },
      }),
    )
    accessToken = (await response.json()).access_token
  }

  /**
   * Finishes a login with the code of a second factor.
   *
   * @param {Problem} required
   */
  const finishSignIn = (required) =>
    repeatUntilRight('code', required, (answer) =>
      post('/auth/login/factor', {
        mfa_token: required.mfa_token,
        token_delivery: delivery,
        ...codeOf(answer),
      }),
    )

  return {
    call,

    /**
     * Replaces a stale access token; if that fails, the session has ended.
     */
    renew,

    /**
     * @param {string} email
     * @param {string} password
     */
    async signIn(email, password) {
      const signInWith = () =>
        post('/auth/login', { email, password, token_delivery: delivery }).catch((error) => {
          if (!(error instanceof ProblemError) || error.problem.code !== 'mfa_required') throw error
          return finishSignIn(error.problem)
        })
      const response = await signInWith().catch((error) => {
        if (delivery === 'body' || !(error instanceof ProblemError) || !cookieless.has(error.problem.code))
          throw error
        delivery = 'body'
        return signInWith()
      })
      keep(await response.json())
    },

    /**
     * Restores the session after a reload, if there is one.
     *
     * @returns {Promise<boolean>} whether somebody is signed in
     */
    async resume() {
      if (!localStorage.getItem(hint)) return false
      try {
        await refresh()
        return true
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error
        forget()
        return false
      }
    },

    async signOut() {
      try {
        await post('/auth/logout', presented())
      } catch (error) {
        if (!(error instanceof ProblemError)) throw error
        await endByToken(accessToken)
      } finally {
        forget()
      }
    },

    accessToken: () => accessToken,

    /** @returns {Claims | undefined} for display only; the gateway decides */
    claims: () => (accessToken === undefined ? undefined : readClaims(accessToken)),
  }
}

/** @typedef {ReturnType<typeof createSession>} Session */

/** Codes of an answer that may be given again. */
const repeatable = new Set(['code_wrong', 'password_wrong', 'validation_failed'])

/**
 * Asks for a credential until it is right.
 *
 * @param {'password' | 'code'} kind
 * @param {Problem} required thrown if the user cancels
 * @param {(answer: string) => Promise<Response>} present
 * @returns {Promise<Response>}
 * @throws {ProblemError}
 */
async function repeatUntilRight(kind, required, present) {
  let notice = ''
  while (true) {
    const answer = await askCredential({ kind, notice })
    if (answer === undefined) throw new ProblemError(required)
    try {
      return await present(answer)
    } catch (error) {
      if (!(error instanceof ProblemError) || !repeatable.has(error.problem.code)) throw error
      notice = messageOf(error.problem)
    }
  }
}

/**
 * A code with the factor that it belongs to: those of apps are six digits.
 *
 * @param {string} code
 */
const codeOf = (code) => ({ factor: /^\s*(\d\s*){6}$/.test(code) ? 'totp' : 'recovery_code', code })

/**
 * Without a working cookie the access token ends its own session.
 *
 * @param {string | undefined} accessToken
 */
async function endByToken(accessToken) {
  if (accessToken === undefined) return
  await send(`/auth/sessions/${readClaims(accessToken).sid}`, { method: 'DELETE', accessToken })
}

/**
 * @param {string} path
 * @param {unknown} body
 */
const post = (path, body) => send(path, { method: 'POST', body })

/**
 * @param {string} path
 * @param {{ method?: string, body?: unknown, accessToken?: string | undefined }} init
 * @returns {Promise<Response>}
 * @throws {ProblemError}
 */
async function send(path, { method = 'GET', body, accessToken }) {
  const response = await fetch(path, {
    method,
    credentials: 'same-origin',
    headers: {
      ...(accessToken !== undefined && { authorization: `Bearer ${accessToken}` }),
      ...(body !== undefined && { 'content-type': 'application/json' }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  }).catch(() => {
    throw new ProblemError({ code: 'unreachable', title: 'The gateway cannot be reached', status: 0 })
  })
  if (!response.ok) throw new ProblemError(await readProblem(response))
  return response
}

/**
 * @param {Response} response
 * @returns {Promise<Problem>}
 */
async function readProblem(response) {
  const retryAfter = Number(response.headers.get('retry-after'))
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json')
  const problem = isProblem
    ? await response.json()
    : { code: 'unknown', title: `The gateway answered ${response.status}`, status: response.status }
  return { ...problem, ...(retryAfter > 0 && { retryAfterSeconds: retryAfter }) }
}

/**
 * @param {string} token
 * @returns {Claims}
 */
function readClaims(token) {
  const payload = token.split('.')[1] ?? ''
  const bytes = Uint8Array.from(atob(payload.replaceAll('-', '+').replaceAll('_', '/')), (character) =>
    character.charCodeAt(0),
  )
  return JSON.parse(new TextDecoder().decode(bytes))
}
