import { setTimeout as sleep } from 'node:timers/promises'
import type { TokenResponse } from '../../../shared/contract.ts'

const password = 'correct horse battery'
const pollMs = 5
const readyTimeoutMs = 20_000
const outcomeTimeoutMs = 20_000

/** A client beside a region's gateway. Times are from the call to the response. */
export function createRegionClient(port: number, metricsPort: number) {
  const base = `http://127.0.0.1:${port}`

  /** @param address the client's, as a proxy in front would name it */
  async function call(
    path: string,
    { address = '203.0.113.7', ...init }: RequestInit & { address?: string } = {},
  ) {
    return fetch(base + path, { ...init, headers: { 'x-forwarded-for': address, ...init.headers } })
  }

  const post = (path: string, body: unknown, address?: string) =>
    call(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
      ...(address !== undefined && { address }),
    })

  const login = (email: string, given = password, address?: string) =>
    post('/auth/login', { email, password: given }, address)

  const withToken = (path: string, { access_token }: Pick<TokenResponse, 'access_token'>) =>
    call(path, { headers: { authorization: `Bearer ${access_token}` } })

  /** @returns `200`, or status and code such as `401 session_ended` */
  async function outcome(answer: Promise<Response>): Promise<string> {
    const response = await answer
    if (response.ok) {
      await response.arrayBuffer()
      return `${response.status}`
    }
    const { code } = (await response.json()) as { code?: string }
    return `${response.status} ${code}`
  }

  async function readiness() {
    const response = await call('/ready')
    const { checks } = (await response.json()) as {
      checks: Record<'key_set' | 'origin' | 'limiter' | 'revocations', { status: string; detail?: string }>
    }
    return { status: response.status, checks }
  }

  return {
    call,
    post,
    login,
    outcome,
    readiness,

    async signUp(email: string): Promise<TokenResponse> {
      await post('/auth/register', { email, password })
      const response = await login(email)
      if (!response.ok) throw new Error(`login answered ${response.status}: ${await response.text()}`)
      return (await response.json()) as TokenResponse
    },

    logout: ({ refresh_token }: TokenResponse) => post('/auth/logout', { refresh_token }),

    /** A service of the region. */
    useService: (tokens: Pick<TokenResponse, 'access_token'>) => outcome(withToken('/v1/local', tokens)),

    /**
     * @param startedAt of `performance.now()`
     * @returns milliseconds from then until the service has this outcome
     */
    async timeUntil(expected: string, tokens: TokenResponse, startedAt: number): Promise<number> {
      let last = ''
      while (performance.now() - startedAt < outcomeTimeoutMs) {
        last = await outcome(withToken('/v1/local', tokens))
        if (last === expected) return performance.now() - startedAt
        await sleep(pollMs)
      }
      throw new Error(`still ${last} after ${outcomeTimeoutMs} ms`)
    },

    async metric(name: string): Promise<number> {
      const text = await (await fetch(`http://127.0.0.1:${metricsPort}/metrics`)).text()
      return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(text)?.[1])
    },

    async untilReady(): Promise<void> {
      const startedAt = performance.now()
      while (!(await call('/ready')).ok) {
        if (performance.now() - startedAt > readyTimeoutMs) throw new Error('the gateway is not ready')
        await sleep(pollMs)
      }
    },
  }
}
