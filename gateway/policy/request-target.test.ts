import { describe, expect, test } from 'vitest'
import { problem } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness, openRow } from '../../test/support/gateway/gateway-harness.ts'
import { readTarget } from './request-target.ts'

describe('readTarget', () => {
  test('returns path and query unchanged', () => {
    expect(readTarget('/v1/me')).toEqual({ path: '/v1/me', query: '' })
    expect(readTarget('/v1/me?')).toEqual({ path: '/v1/me', query: '?' })
    expect(readTarget("/a-b_c~d.e/!$&'()*+,=:@/%C3%A9%20x?next=/a//b&x=%2e%2e;y\\z")).toEqual({
      path: "/a-b_c~d.e/!$&'()*+,=:@/%C3%A9%20x",
      query: '?next=/a//b&x=%2e%2e;y\\z',
    })
    expect(readTarget('/..a/b../...').path).toBe('/..a/b../...')
  })

  // Some clients encode more than they must: both forms name the same resource.
  test.each([
    ['/%761/m%65/%4De%7e%2Dx%5f%39', '/v1/me/Me~-x_9'],
    ['/files/a%2Eb%2e.c', '/files/a.b..c'],
    ['/p/%C3%A9%41%20', '/p/%C3%A9A%20'],
  ])('decodes characters that need no encoding (RFC 3986, section 6.2.2.2): %s', (target, path) => {
    expect(readTarget(target).path).toBe(path)
  })

  test.each([
    '/p/100%25',
    '/p/50%25-off',
    '/p/%25%20',
    '/p/%25g',
    '/p/%252',
    '/p/a;b',
    '/p/a;v=1;w=2',
    '/p/a%3Bb',
  ])('leaves %s as it is: servers decode it once, to the same value', (target) => {
    expect(readTarget(target).path).toBe(target)
  })

  // Each of these is one path to one server and another to the next, so one that is allowed could
  // reach one that is not.
  const ambiguous = {
    'empty segments': ['//', '//v1/me', '/v1//me'],
    'dot segments': ['/v1/../me', '/v1/..', '/./v1', '/v1/.'],
    'encoded dots': ['/%2e%2e/me', '/v1/%2E%2e/me', '/v1/.%2e/me'],
    'encoded slashes': ['/v1%2fme', '/v1%2Fme', '/v1%5cme', '/v1%5Cme'],
    backslashes: ['/v1\\me', '/v1\\..\\me'],
    'path parameters behind which nothing or dots are left': [
      '/v1/..;x/me',
      '/v1/;/me',
      '/v1/;..;/me',
      '/;x',
      '/v1/.;',
      '/v1/..%3b/me',
      '/v1/%2e%2E%3Bx/me',
      '/v1/%3B/me',
    ],
    'encoded controls': ['/v1/me%00', '/v1/me%0A', '/v1/me%0d', '/v1/me%1f', '/v1/me%7F'],
    'double encoding': [
      '/v1%252fme',
      '/v1/%252e%252e/me',
      '/v1/%2525',
      '/v1/%25252e',
      '/v1/%25%32%65',
      '/v1/%25%36a',
      '/v1/%2541',
      '/v1/%25u002e',
      '/v1/%25%75002f',
    ],
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

const rows = [
  { ...openRow, path: '/users/{id}' },
  { ...openRow, path: '/secret/{id}' },
  { ...openRow, path: '/{any}/{id}' },
]

test('400 bad_request: an ambiguous path never reaches an upstream, even where a row would match it', async () => {
  const harness = await createGatewayHarness({ policy: rows })
  for (const path of [
    ...['/users/a%2fb', '/users/a%00', '/users/a%252fb', '/users/..;a'],
    // A server that removes path parameters would take another row.
    ...['/secret;x/a', '/secret%3bx/a', '/secret%3B/a', '/users;/a', '/users/a/;x'],
  ]) {
    const answer = await harness.call(path)
    expect(answer.status, path).toBe(400)
    expect(await problem(answer)).toMatchObject({ code: 'bad_request', detail: expect.any(String) })
  }
  expect(harness.forwarded).toHaveLength(0)
})

test.each([
  ['/users/a;b', '/users/a;b'],
  ['/users/100%25', '/users/100%25'],
  ['/users/%41da%7E', '/users/Ada~'],
  ['/%75sers/a?x=%41;%2e', '/users/a?x=%41;%2e'],
])('200: %s is forwarded as %s', async (path, target) => {
  const harness = await createGatewayHarness({ policy: rows })
  expect((await harness.call(path)).status).toBe(200)
  expect(harness.last().target).toBe(target)
})
