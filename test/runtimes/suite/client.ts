import { randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { expect, inject } from 'vitest'
import type { TokenResponse } from '../../../shared/contract.ts'
import { createIssuer } from '../../support/gateway/issuer.ts'
import { ask } from '../../support/gateway/sockets.ts'
import type { Exchange } from '../upstream.ts'

/** Signs with the origin's own key, also what the origin never would. */
export const issuer = await createIssuer(Date.now, inject('signingKey'))

/** An address that no other test of any runtime calls from. */
export const newAddress = () => `10.${[...randomBytes(3)].join('.')}`

/** Names an exchange with the suite's upstream. */
export const newId = () => crypto.randomUUID()

export interface Sent {
  method?: string
  headers?: Record<string, string | string[]>
  body?: string | Buffer
  /** An access token. */
  token?: string
  /** The client's address, by default a new one. */
  address?: string
}

/** Asks the gateway, by a client that decodes nothing; resolves with the answer's head. */
export function open(path: string, { token, address = newAddress(), headers, body, ...sent }: Sent = {}) {
  const isChunked = headers?.['transfer-encoding'] !== undefined
  return ask(inject('gatewayPort'), {
    path,
    headers: {
      'x-forwarded-for': address,
      // Node's client frames no body of a DELETE by itself.
      ...(body !== undefined && !isChunked && { 'content-length': String(Buffer.byteLength(body)) }),
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(body !== undefined && { body }),
    ...sent,
  })
}

export interface Answer {
  status: number
  headers: IncomingHttpHeaders
  body: Buffer
}

/** Asks the gateway; resolves with the whole answer. */
export async function send(path: string, sent?: Sent): Promise<Answer> {
  const answer = await open(path, sent)
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: await buffer(answer) }
}

export const json = ({ body }: Answer) => JSON.parse(body.toString()) as Record<string, unknown>

/** Outcome of a request: `200`, or status and code of a rejection. */
export function outcome(answer: Answer): string {
  if (answer.status < 400) return String(answer.status)
  return `${answer.status} ${json(answer).code}`
}

export function sendJson(path: string, content: unknown, sent: Sent = {}): Promise<Answer> {
  return send(path, {
    method: 'POST',
    ...sent,
    headers: { 'content-type': 'application/json', ...sent.headers },
    body: JSON.stringify(content),
  })
}

/** The request as the upstream received it. */
export interface Echo {
  method: string
  url: string
  rawHeaders: string[]
  bytes: number
  sha256: string
}

export async function echo(path: string, sent?: Sent): Promise<Echo> {
  const answer = await send(path, sent)
  expect(outcome(answer)).toBe('200')
  return json(answer) as unknown as Echo
}

/** All values under a name, in whatever spelling, as the upstream got them. */
export function valuesOf({ rawHeaders }: Echo, name: string): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name)
}

async function askUpstream(path: string): Promise<unknown> {
  const answer = await fetch(`http://127.0.0.1:${inject('upstreamPort')}${path}`)
  return answer.json()
}

/** State of an exchange at the upstream, null where the upstream got no request. */
export const seen = (id: string) => askUpstream(`/seen/${id}`) as Promise<Exchange | null>

/** Lets the upstream go on with an exchange. */
export const letGo = (id: string) => askUpstream(`/go/${id}`)

export async function login(email: string, password: string): Promise<TokenResponse> {
  const answer = await sendJson('/auth/login', { email, password })
  expect(outcome(answer)).toBe('200')
  return json(answer) as unknown as TokenResponse
}

/** A new account, signed in. */
export async function signUp() {
  const email = `${crypto.randomUUID()}@example.com`
  const password = 'correct horse battery'
  expect(outcome(await sendJson('/auth/register', { email, password }))).toBe('202')
  return { email, password, tokens: await login(email, password) }
}

export const loginSuperadmin = () => login('superadmin@example.com', inject('demoPassword'))
