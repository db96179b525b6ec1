import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { callOrigin } from '../../test/support/full-stack/origin-call.ts'
import { highLimits } from '../../test/support/high-limits.ts'

/** A body that each endpoint would accept in form. */
const endpoints: [path: string, valid: Record<string, string>][] = [
  ['/auth/register', { email: 'eve@example.com', password: 'correct horse battery' }],
  ['/auth/login', { email: 'eve@example.com', password: 'correct horse battery' }],
  ['/auth/refresh', { refresh_token: 'A'.repeat(43) }],
  ['/auth/logout', { refresh_token: 'A'.repeat(43) }],
]

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
})
afterAll(() => fullStack.close())

const deep = (depth: number) => `${'['.repeat(depth)}${']'.repeat(depth)}`

/** The number of rows that a request of these endpoints could have written. */
async function rowsWritten() {
  const [row] = await fullStack.sql<[{ rows: number }]>`
    select ((select count(*) from user_accounts) + (select count(*) from user_subscriptions)
      + (select count(*) from login_attempts) + (select count(*) from sessions) + (select count(*) from tokens)
      + (select count(*) from audit_logs))::int as rows`
  return row.rows
}

describe.each(endpoints)('POST %s, a body that', (path, valid) => {
  beforeEach(() => fullStack.sql`truncate user_accounts, login_attempts, audit_logs cascade`)

  /** Sends text as it is, through the gateway. */
  const send = (body: RequestInit['body'], contentType: string | null = 'application/json') =>
    fullStack.call(path, {
      method: 'POST',
      headers: contentType === null ? {} : { 'content-type': contentType },
      body: body ?? null,
    })

  async function expectRefused(answer: Response, status: number, code: string) {
    const refusal = await problem(answer)
    expect({ status: answer.status, code: refusal.code }).toEqual({ status, code })
    expect(refusal.status).toBe(status)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(await rowsWritten()).toBe(0)
    return refusal.errors?.map(({ pointer }) => pointer).sort()
  }

  test.each([
    ['is empty', ''],
    ['is cut short', JSON.stringify(valid).slice(0, -1)],
    ['has something behind its end', `${JSON.stringify(valid)}{}`],
    ['is no UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0xfe])],
    ['opens 1,000 arrays and closes none', '['.repeat(1000)],
  ])('400 malformed_json: %s', async (_, body) => {
    await expectRefused(await send(body), 400, 'malformed_json')
  })

  // A page elsewhere can have a browser post these without asking: they must not count as JSON.
  test.each([
    ['text/plain'],
    ['application/x-www-form-urlencoded'],
    ['application/jsonp'],
    ['application/json, text/plain'],
    [null],
  ])('415 unsupported_media_type: is said to be %s', async (contentType) => {
    const body = new TextEncoder().encode(JSON.stringify(valid))
    await expectRefused(await send(body, contentType), 415, 'unsupported_media_type')
  })

  test('is said to be JSON with a charset, in any letter case and spacing, is read', async () => {
    const answer = await send(JSON.stringify(valid), 'Application/JSON ; charset=utf-8')
    expect([202, 204, 401]).toContain(answer.status)
  })

  test.each([
    ['null', 'null'],
    ['a number', '7'],
    ['a string', '"text"'],
    ['a boolean', 'true'],
    ['an array', '[]'],
    ['1,000 nested arrays', deep(1000)],
  ])('422 validation_failed: is %s and no object', async (_, body) => {
    expect(await expectRefused(await send(body), 422, 'validation_failed')).toEqual([''])
  })

  test('422 validation_failed: lacks every field, each of which is named; 401 refresh_missing where none is required', async () => {
    const pointers = Object.keys(valid).map((field) => `/${field}`)
    if ('refresh_token' in valid) await expectRefused(await send('{}'), 401, 'refresh_missing')
    else expect(await expectRefused(await send('{}'), 422, 'validation_failed')).toEqual(pointers)
  })

  // An object where a string is expected is how queries are bent in other databases.
  describe.each(Object.keys(valid))('has in %s', (field) => {
    test.each([
      ['null', 'null'],
      ['a number', '7'],
      ['a boolean', 'true'],
      ['an object', '{"$ne":""}'],
      ['an array', JSON.stringify([valid[field]])],
      ['1,000 nested arrays', deep(1000)],
      ['nothing', '""'],
      ['5,000 characters', JSON.stringify('x'.repeat(5000))],
    ])('422 validation_failed: %s', async (_, value) => {
      const others = Object.entries(valid).filter(([name]) => name !== field)
      const members = [...others.map(([name, text]) => `"${name}":"${text}"`), `"${field}":${value}`]
      const pointers = await expectRefused(await send(`{${members}}`), 422, 'validation_failed')
      expect(new Set(pointers)).toEqual(new Set([`/${field}`]))
    })
  })

  // Prototype pollution: the fields of a prototype must not count as the body's own, nor reach
  // anybody else's.
  test('422 validation_failed: has its fields under __proto__', async () => {
    await expectRefused(await send(`{"__proto__":${JSON.stringify(valid)}}`), 422, 'validation_failed')
  })

  test.each(['constructor', 'prototype', 'toString', 'admin'])(
    '422 validation_failed: has a field %s',
    async (field) => {
      const body = JSON.stringify({ ...valid, [field]: { role: 'superadmin' } })
      expect(await expectRefused(await send(body), 422, 'validation_failed')).toEqual([`/${field}`])
    },
  )

  const oversized = JSON.stringify({ ...valid, padding: 'x'.repeat(64 * 1024) })
  const chunked = () => new Blob([oversized]).stream()

  /** Straight to the origin, past the gateway's cap. */
  const stream = (body: ReadableStream, headers: Record<string, string>) =>
    callOrigin(fullStack, path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...headers },
      body,
      duplex: 'half',
    } as RequestInit)

  test('413 body_too_large: is over 64 KiB', async () => {
    const headers = { 'content-type': 'application/json', 'content-length': String(oversized.length) }
    const answer = await fullStack.call(path, { method: 'POST', headers, body: oversized })
    await expectRefused(answer, 413, 'body_too_large')
  })

  // The origin holds its own cap, should a gateway in front be set up to let more through.
  test.each([
    ['says so', { 'content-length': String(oversized.length) }],
    ['does not say so', {}],
    ['says so and is chunked', { 'content-length': '10', 'transfer-encoding': 'chunked' }],
  ])('413 body_too_large: is over 64 KiB at the origin itself and %s', async (_, headers) => {
    await expectRefused(await stream(chunked(), headers), 413, 'body_too_large')
  })
  // A client that leaves in the middle is no failure of ours: it must not raise the alarm that a
  // 500 raises.
  test.each([
    ['said how long it is', { 'content-length': '200' }],
    ['did not', {}],
  ])('400: breaks off, of a client that %s', async (_, headers) => {
    const half = new TextEncoder().encode(JSON.stringify(valid).slice(0, 10))
    const broken = new ReadableStream({
      start: (controller) => controller.enqueue(half),
      pull: (controller) => controller.error(new Error('aborted')),
    })
    const answer = await stream(broken, headers)
    expect(answer.status).toBe(400)
    expect(['bad_request', 'malformed_json']).toContain((await problem(answer)).code)
    expect(await rowsWritten()).toBe(0)
  })
})
