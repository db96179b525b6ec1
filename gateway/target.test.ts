import { describe, expect, test } from 'vitest'
import { createStand, openRow } from '../test/stand.ts'
import { problem } from '../test/world.ts'
import { readTarget } from './target.ts'

describe('readTarget', () => {
  test('gives path and query as they stand', () => {
    expect(readTarget('/v1/me')).toEqual({ path: '/v1/me', query: '' })
    expect(readTarget('/v1/me?')).toEqual({ path: '/v1/me', query: '?' })
    expect(readTarget("/a-b_c~d.e/!$&'()*+,=:@/%C3%A9%20x?next=/a//b&x=%2e%2e;y\\z")).toEqual({
      path: "/a-b_c~d.e/!$&'()*+,=:@/%C3%A9%20x",
      query: '?next=/a//b&x=%2e%2e;y\\z',
    })
    expect(readTarget('/..a/b../...').path).toBe('/..a/b../...')
  })

  // Each of these is one path to one server and another to the next, so one that is allowed could reach one that is not.
  const ambiguous = {
    'empty segments': ['//', '//v1/me', '/v1//me'],
    'dot segments': ['/v1/../me', '/v1/..', '/./v1', '/v1/.'],
    'encoded dots': ['/%2e%2e/me', '/v1/%2E%2e/me', '/v1/.%2e/me'],
    'encoded slashes': ['/v1%2fme', '/v1%2Fme', '/v1%5cme', '/v1%5Cme'],
    backslashes: ['/v1\\me', '/v1\\..\\me'],
    'path parameters': ['/v1/..;x/me', '/v1;x=y/me', '/v1/..%3b/me', '/v1%3Bx'],
    'encoded controls': ['/v1/me%00', '/v1/me%0A', '/v1/me%0d', '/v1/me%1f', '/v1/me%7F'],
    'double encoding': ['/v1%252fme', '/v1/%252e%252e/me', '/%25'],
    'letters that need no encoding': [
      '/v1/%6de',
      '/v1/m%65',
      '/%761/me',
      '/v1/%4De',
      '/v1/me%7e',
      '/v1/%2Dx',
      '/%5f',
    ],
    'digits that need no encoding': ['/v%31/me', '/%39'],
    'overlong encodings of a slash or a dot': ['/v1%c0%afme', '/v1/%C0%AE%c0%ae/me', '/v1%c1%9cme'],
    'broken encodings': ['/v1/%', '/v1/%2', '/v1/%zz', '/v1/%u002f'],
    'bytes that have no place in a path': [
      '/v1/me#x',
      '/v1/m e',
      '/v1/é',
      '/v1/"me"',
      '/v1/{me}',
      '/v1/a|b',
      '/v1/a\tb',
    ],
    'no path': ['', '*', 'v1/me', '?x'],
  }
  test.each(Object.entries(ambiguous))('400 bad_request: %s', (_kind, targets) => {
    for (const target of targets) expect(() => readTarget(target), target).toThrow('bad_request')
  })
})

test('400 bad_request: an ambiguous path never reaches an upstream, even where a row would match it', async () => {
  const stand = await createStand({ policy: [{ ...openRow, path: '/users/{id}' }] })
  for (const id of ['a%2fb', 'a;b', '%6de', 'a%00', 'a%252fb']) {
    const answer = await stand.call(`/users/${id}`)
    expect(answer.status).toBe(400)
    expect(await problem(answer)).toMatchObject({ code: 'bad_request', detail: expect.any(String) })
  }
  expect(stand.forwarded).toHaveLength(0)
})
