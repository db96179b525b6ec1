import { describe, expect, test } from 'vitest'
import type { Kind } from '../client/mix.ts'
import { createRequests, parseUsers } from './requests.ts'

const lines = ['a', 'b', 'c'].map((id) => `${id} ${id}@x.example pro 1 refresh-${id} access-${id}`)

function requestsOf(...kinds: Kind[]) {
  const draws = [...kinds]
  const nextRequest = createRequests({
    users: parseUsers(lines, 300),
    password: 'p',
    draw: () => draws.shift() ?? 'feed',
  })
  return kinds.map(() => nextRequest(1))
}

const tokensOf = (id: string) =>
  `{"access_token":"h.${Buffer.from(JSON.stringify({ sub: id })).toString('base64url')}.s"}`

describe('requests of the generator', () => {
  test('a read brings the token and the address of its user', () => {
    const [feed] = requestsOf('feed')
    expect(feed?.text).toMatch(/^GET \/v1\/feed HTTP\/1.1\r\n/)
    expect(feed?.text).toContain('\r\nauthorization: Bearer access-a\r\n')
    expect(feed?.text).toContain('\r\nx-forwarded-for: 10.0.1.44\r\n')
  })

  test('each refresh spends the token of another user, and the last of them reads again', () => {
    const all = requestsOf('refresh', 'refresh', 'refresh', 'refresh')
    expect(all.map(({ kind }) => kind)).toEqual(['refresh', 'refresh', 'refresh', 'feed'])
    expect(all.slice(0, 3).map(({ text }) => /refresh-./.exec(text)?.[0])).toEqual([
      'refresh-a',
      'refresh-b',
      'refresh-c',
    ])
  })

  test.each([
    ['feed', '{"user_id":"a"}', '{"user_id":"b"}'],
    ['me', '{"id":"a","email":"a@x.example"}', '{"id":"b","email":"a@x.example"}'],
    ['refresh', tokensOf('a'), tokensOf('b')],
    ['login', tokensOf('a'), tokensOf('b')],
  ] as const)('%s knows the response of another user', (kind, own, other) => {
    const [request] = requestsOf(kind)
    expect(request?.isOwn(own)).toBe(true)
    expect(request?.isOwn(other)).toBe(false)
    expect(request?.isOwn('')).toBe(false)
  })
})
