import { setTimeout as sleep } from 'node:timers/promises'
import type { OperationKind } from '../history.ts'
import type { Random } from '../random.ts'
import { type Call, type CallResult, digest, type Request } from './call.ts'
import { type ClientSession, createKnownSessions } from './known-sessions.ts'

export interface ClientOptions {
  email: string
  call: Call
  gateways: number
  random: Random
  isOver: () => boolean
}

/** How often each step is taken; a login comes first where there is no session. */
const steps = {
  refresh: 40,
  refreshTwice: 10,
  refreshAndLoseReply: 8,
  me: 40,
  order: 15,
  meAfterEnd: 15,
  login: 4,
  logout: 5,
  logoutEverywhere: 2,
  changePassword: 3,
  lockOut: 2,
}

/** Steps that an account is used for; then its client registers another one. */
const lifeSteps = { low: 150, high: 900 }

const thinkMs = { low: 20, high: 250 }
const maxSessions = 4
const lockingTries = 5

export type Client = ReturnType<typeof createClient>

/**
 * A client with one account, which does one thing at a time as an honest frontend does: it repeats
 * a request whose response was lost, uses a refresh token until it has the successor, and logs in
 * again when it is told that its session is over.
 */
export function createClient({ email, call, gateways, random, isOver }: ClientOptions) {
  const lastStep = random.between(lifeSteps.low, lifeSteps.high)
  let isRegistered = false
  let passwordNumber = 0
  const newPassword = () => `violet ${passwordNumber++} harbour ${random.between(1e6, 1e7)} lantern`
  let password = newPassword()
  /** Passwords of changes without a response, which may have happened or may still happen. */
  const maybePasswords: string[] = []
  const { live: sessions, ended, add, renew, end } = createKnownSessions()

  const anyGateway = () => random.between(0, gateways - 1)
  const pause = (low = thinkMs.low, high = thinkMs.high) => sleep(random.between(low, high))

  const withToken = ({ id, refreshToken }: ClientSession) => ({ session: id, token: digest(refreshToken) })
  const withAccess = ({ id, expiresAt }: ClientSession) => ({ session: id, tokenExpiresAt: expiresAt })

  /** Sends until there is a response that says whether it was done, as long as the drill lasts. */
  async function untilAnswered(send: () => Promise<CallResult>): Promise<CallResult> {
    for (;;) {
      const result = await send()
      if ((result.status ?? 500) < 500 || isOver()) return result
      await pause(100, 1500)
    }
  }

  function send(kind: OperationKind, values: object, request: Request, loseReplyAfterMs?: number) {
    return call({ kind, account: email, ...values }, anyGateway(), request, loseReplyAfterMs)
  }

  const post = (path: string, body: unknown, accessToken?: string): Request => ({
    method: 'POST',
    path,
    body,
    ...(accessToken && { accessToken }),
  })

  async function register(): Promise<void> {
    const request = post('/auth/register', { email, password })
    const { status } = await untilAnswered(() => send('register', { password }, request))
    isRegistered = status === 202
  }

  const tryLogin = (tried: string) =>
    send('login', { password: tried }, post('/auth/login', { email, password: tried }))

  /** @returns whether there is a new session */
  async function login(): Promise<boolean> {
    const result = await tryLogin(password)
    if (result.tokens) add(result.tokens)
    if (result.status === 401) {
      maybePasswords.push(password)
      password = maybePasswords.shift() as string
    }
    return result.tokens !== undefined
  }

  const sendRefresh = (session: ClientSession, loseReplyAfterMs?: number) =>
    send(
      'refresh',
      withToken(session),
      post('/auth/refresh', { refresh_token: session.refreshToken }),
      loseReplyAfterMs,
    )

  function learn(session: ClientSession, result: CallResult): void {
    if (result.tokens) renew(session, result.tokens)
    else if (result.status === 401) end(session)
  }

  async function useAccess(session: ClientSession, kind: 'me' | 'order'): Promise<void> {
    const { accessToken } = session
    const request: Request =
      kind === 'me' ? { method: 'GET', path: '/v1/me', accessToken } : post('/v1/orders', {}, accessToken)
    const result = await send(kind, withAccess(session), request)
    // The refresh token tells whether the session is over.
    if (result.status === 401) learn(session, await sendRefresh(session))
  }

  async function logout(session: ClientSession, everywhere: boolean): Promise<void> {
    const request = post('/auth/logout', { refresh_token: session.refreshToken, everywhere })
    const kind = everywhere ? 'logout_everywhere' : 'logout'
    const result = await untilAnswered(() => send(kind, withToken(session), request))
    if (result.status !== 204) return
    for (const one of everywhere ? [...sessions] : [session]) end(one)
  }

  async function changePassword(session: ClientSession): Promise<void> {
    const next = newPassword()
    const result = await send(
      'change_password',
      { ...withAccess(session), password, newPassword: next },
      post('/auth/password', { current_password: password, new_password: next }, session.accessToken),
    )
    if (result.status === 204) {
      for (const one of sessions.filter((other) => other !== session)) end(one)
      password = next
      maybePasswords.length = 0
    } else if ((result.status ?? 500) >= 500) {
      maybePasswords.push(next)
      // A login tells which password holds now.
      while (!isOver() && !(await login())) await pause(200, 1500)
    } else if (result.status === 401) learn(session, await sendRefresh(session))
  }

  async function lockOut(): Promise<void> {
    for (let attempt = 0; attempt < lockingTries; attempt++) await tryLogin(`not ${password}`)
    await login()
  }

  async function step(): Promise<void> {
    const session = sessions.length > 0 ? random.pick(sessions) : undefined
    if (!session) {
      if (!(await login())) await pause(300, 2000)
      return
    }
    switch (random.weighted(steps)) {
      case 'refresh':
        return learn(session, await untilAnswered(() => sendRefresh(session)))
      case 'refreshTwice': {
        const results = await Promise.all([sendRefresh(session), sendRefresh(session)])
        return learn(session, results.find(({ tokens }) => tokens) ?? (results[0] as CallResult))
      }
      case 'refreshAndLoseReply':
        await sendRefresh(session, random.between(1, 12))
        return learn(session, await untilAnswered(() => sendRefresh(session)))
      case 'me':
        return useAccess(session, 'me')
      case 'order':
        return useAccess(session, 'order')
      case 'meAfterEnd': {
        if (ended.length === 0) return
        const { accessToken, ...old } = random.pick(ended)
        await send('me', withAccess({ ...old, accessToken }), { method: 'GET', path: '/v1/me', accessToken })
        return
      }
      case 'login':
        if (sessions.length < maxSessions) await login()
        return
      case 'logout':
        return logout(session, false)
      case 'logoutEverywhere':
        return logout(session, true)
      case 'changePassword':
        return changePassword(session)
      case 'lockOut':
        return lockOut()
    }
  }

  return {
    email,
    /** Resolves at the end of the account's life, or of the drill. */
    async run(): Promise<void> {
      await register()
      for (let taken = 0; taken < lastStep && !isOver(); taken++) {
        await step()
        await pause()
      }
    },
    /** After the faults: tries each ended session once more, at each gateway. */
    async tryEndedSessions(): Promise<void> {
      for (const { accessToken, ...old } of ended)
        for (let gateway = 0; gateway < gateways; gateway++)
          await call({ kind: 'me', account: email, ...withAccess({ ...old, accessToken }) }, gateway, {
            method: 'GET',
            path: '/v1/me',
            accessToken,
          })
    },
    /** Logs in, reads the profile and refreshes. @returns whether all of it worked */
    async isServed(): Promise<boolean> {
      if (!isRegistered) await register()
      if (!(await login())) return false
      const session = sessions.at(-1) as ClientSession
      const me = await send('me', withAccess(session), {
        method: 'GET',
        path: '/v1/me',
        accessToken: session.accessToken,
      })
      const refreshed = await sendRefresh(session)
      learn(session, refreshed)
      return me.status === 200 && refreshed.tokens !== undefined
    },
  }
}
