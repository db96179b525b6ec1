import { once } from 'node:events'
import { type IncomingMessage, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { assertionHeader, refreshCookie } from '../shared/http/headers.ts'
import { createHttpServer, fetchListener } from '../shared/node/http/http-server.ts'
import { setCookieOf } from '../test/support/cookies.ts'
import { createFullStack, type FullStack } from '../test/support/full-stack/full-stack.ts'
import { assertionFrom } from '../test/support/full-stack/origin-call.ts'
import { highLimits } from '../test/support/high-limits.ts'

/**
 * An injected fetch does not show requests as Node's server parses them, so this uses the real
 * server.
 */

const account = { email: 'ada@example.com', password: 'correct horse battery' }

let fullStack: FullStack
let server: ReturnType<typeof createHttpServer>
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  server = createHttpServer({ listener: fetchListener(fullStack.origin.fetch), keepAliveSeconds: 5 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  await fullStack.signUp(account.email, account.password)
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await fullStack.close()
})

async function send(method: string, path: string, headers: Record<string, string>, chunks: string[] = []) {
  const { port } = server.address() as AddressInfo
  const sent = request({ port, method, path, headers })
  for (const chunk of chunks) sent.write(chunk)
  sent.end()
  const [answer] = (await once(sent, 'response')) as [IncomingMessage]
  return { status: answer.statusCode, body: await text(answer) }
}

test('200: a chunked body arrives whole', async () => {
  const headers = { [assertionHeader]: await assertionFrom(fullStack), 'content-type': 'application/json' }
  const body = JSON.stringify(account)
  const answer = await send('POST', '/auth/login', headers, [body.slice(0, 9), body.slice(9)])
  expect(answer.status).toBe(200)
})

test('204: a DELETE without a body, and with an empty one', async () => {
  const { access_token } = await fullStack.login(account.email, account.password)
  const me = await fullStack.call('/v1/me', { headers: { authorization: `Bearer ${access_token}` } })
  expect(me.status).toBe(200)
  const assertion = fullStack.forwarded.at(-1)?.headers.get(assertionHeader) ?? ''
  for (const headers of [{}, { 'content-length': '0' }]) {
    const answer = await send('DELETE', '/auth/sessions', { [assertionHeader]: assertion, ...headers })
    expect(answer.status).toBe(204)
  }
})

test('204: a body with only optional fields may be missing or empty; 415 where it has bytes', async () => {
  const headers = {
    [assertionHeader]: await assertionFrom(fullStack),
    origin: fullStack.originConfig.ISSUER_URL,
    'x-forwarded-for': '203.0.113.7',
  }
  const logout = async (more: Record<string, string>, chunks: string[] = []) => {
    const cookie = await cookieOf()
    return send('POST', '/auth/logout', { ...headers, cookie, ...more }, chunks)
  }
  for (const more of [{}, { 'content-length': '0' }, { 'transfer-encoding': 'chunked' }])
    expect(await logout(more)).toMatchObject({ status: 204 })
  expect(await logout({}, ['{}'])).toMatchObject({ status: 415 })
})

async function cookieOf(): Promise<string> {
  const answer = await fullStack.post(
    '/auth/login',
    { ...account, token_delivery: 'cookie' },
    { headers: { origin: fullStack.originConfig.ISSUER_URL } },
  )
  return `${refreshCookie}=${setCookieOf(answer, refreshCookie)?.value}`
}

test('413 body_too_large: chunked beyond the cap', async () => {
  const headers = { [assertionHeader]: await assertionFrom(fullStack), 'content-type': 'application/json' }
  const answer = await send('POST', '/auth/login', headers, Array(8).fill('x'.repeat(16_000)))
  expect(answer.status).toBe(413)
})
