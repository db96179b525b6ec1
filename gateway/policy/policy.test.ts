import { describe, expect, test } from 'vitest'
import { problem } from '../../test/support/full-stack/full-stack.ts'
import { closedRow, createGatewayHarness, openRow } from '../../test/support/gateway/gateway-harness.ts'
import { compilePolicy, type PolicyRow } from './policy.ts'

const upstreams = ['origin', 'reports']
const compile = (...rows: unknown[]) => compilePolicy(rows as PolicyRow[], upstreams)

describe('the policy table, over HTTP', () => {
  test('404 not_found: a path without a row never reaches an upstream, with or without a token', async () => {
    const harness = await createGatewayHarness()
    const authorization = `Bearer ${await harness.issuer.sign()}`
    for (const path of ['/', '/admin', '/internal/users', '/open/', '/open/more', '/OPEN', '/openx']) {
      const answer = await harness.call(path, { headers: { authorization } })
      expect({ path, status: answer.status, code: (await problem(answer)).code }).toEqual({
        path,
        status: 404,
        code: 'not_found',
      })
    }
    expect(harness.forwarded).toHaveLength(0)
  })

  test('405 method_not_allowed: another method of a known path, with Allow, and the upstream sees nothing', async () => {
    const harness = await createGatewayHarness({ policy: [openRow, closedRow] })
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND']) {
      const answer = await harness.call('/open', { method })
      expect(answer.status).toBe(405)
      expect((await problem(answer)).code).toBe('method_not_allowed')
      expect(answer.headers.get('allow')).toBe('GET, HEAD, OPTIONS')
    }
    expect(harness.forwarded).toHaveLength(0)
  })

  test('HEAD is allowed where GET is, under the same row, and stays a HEAD', async () => {
    const harness = await createGatewayHarness()
    expect((await harness.call('/open', { method: 'HEAD' })).status).toBe(200)
    expect(harness.last().method).toBe('HEAD')
    expect((await harness.call('/closed', { method: 'HEAD' })).status).toBe(401)
    expect(harness.forwarded).toHaveLength(1)
  })

  test('405 method_not_allowed: HEAD where there is no GET', async () => {
    const harness = await createGatewayHarness({ policy: [{ ...openRow, method: 'POST' }] })
    const answer = await harness.call('/open', { method: 'HEAD' })
    expect(answer.status).toBe(405)
    expect(answer.headers.get('allow')).toBe('POST, OPTIONS')
  })

  test('a row sends its path to its own upstream', async () => {
    const harness = await createGatewayHarness()
    await harness.call('/open?page=2')
    expect(harness.last()).toMatchObject({ baseUrl: 'http://127.0.0.1:8082', target: '/open?page=2' })
  })
})

describe('a row is rejected', () => {
  test.each([
    ...['/internal/users', '/internal', '/{anything}/users', '/internal/gateway/revocations'],
    ...['/{path...}', '/internal/{path...}'],
  ])('that would open the internal API of the origin: %s', (path) => {
    const refusal = 'opens the internal API of the origin'
    expect(() => compile({ ...openRow, upstream: 'origin', path })).toThrow(refusal)
    const rewritten = { ...openRow, path: `/v1${path}`, rewrite: path }
    expect(() => compile({ ...rewritten, upstream: 'origin' })).toThrow(refusal)
    expect(() => compile(rewritten)).not.toThrow()
  })
})

describe('a path parameter', () => {
  const policy = compile({ ...openRow, path: '/users/{id}/notes' })
  const matches = (path: string) => policy.match('GET', path).path

  test('matches any one segment', () => {
    for (const id of ['7', 'a.b', 'me', '%C3%A9', '{id}', ':id', '*'])
      expect(matches(`/users/${id}/notes`)).toBe('/users/{id}/notes')
  })

  test('404 not_found: no segment, an empty one, or two', () => {
    for (const path of ['/users/notes', '/users//notes', '/users/1/2/notes', '/users/1/notes/', '/users/1'])
      expect(() => matches(path)).toThrow('not_found')
  })

  test('may have a name of its own in each row of one path', () => {
    const named = compile(
      { ...openRow, path: '/users/{id}' },
      { ...openRow, method: 'POST', path: '/users/{userId}' },
    )
    expect(named.match('POST', '/users/7').path).toBe('/users/{userId}')
  })

  // A public row with a parameter would open the protected one that it shadows.
  test('yields to a literal segment, for any order of the rows', () => {
    const rows = [
      { ...openRow, path: '/{any}/{thing}' },
      { ...openRow, path: '/users/{id}' },
      { ...openRow, path: '/users/me' },
    ]
    for (const table of [rows, rows.toReversed()]) {
      const { match } = compile(...table)
      const paths = ['/users/me', '/users/7', '/a/b'].map((path) => match('GET', path).path)
      expect(paths).toEqual(['/users/me', '/users/{id}', '/{any}/{thing}'])
    }
  })

  test('may be in a path twice under one name', () => {
    const twice = compile({ ...openRow, path: '/a/{id}/b/{id}' })
    expect(twice.match('GET', '/a/1/b/2').path).toBe('/a/{id}/b/{id}')
  })
})

describe('a rest parameter', () => {
  const policy = compile(
    { ...openRow, path: '/v1/files/{path...}' },
    { ...openRow, path: '/v1/files/{id}/parts' },
    { ...closedRow, path: '/v1/files/private' },
  )
  const matches = (path: string) => policy.match('GET', path).path

  test('matches one or more segments', () => {
    for (const rest of ['a', 'a/b', 'a/b/c.txt', '.git/config', '%C3%A9/~x', 'a/b/', 'private/more'])
      expect(matches(`/v1/files/${rest}`)).toBe('/v1/files/{path...}')
  })

  test('404 not_found: no segment, or an empty one', () => {
    for (const path of ['/v1/files', '/v1/files/', '/v1/filesystem/a', '/v1'])
      expect(() => matches(path)).toThrow('not_found')
  })

  test('yields to literals and parameters, segment by segment from the left', () => {
    expect(matches('/v1/files/private')).toBe('/v1/files/private')
    expect(matches('/v1/files/7/parts')).toBe('/v1/files/{id}/parts')
    expect(matches('/v1/files/7/parts/1')).toBe('/v1/files/{path...}')
    const leftmost = compile({ ...openRow, path: '/a/{path...}' }, { ...openRow, path: '/{x}/b' })
    expect(leftmost.match('GET', '/a/b').path).toBe('/a/{path...}')
  })

  // Servers that ignore a slash at the end serve the protected file.
  test('400 bad_request: a slash at the end, or path parameters, that lead to another row', () => {
    for (const path of ['/v1/files/private/', '/v1/files/private;v=1', '/v1/files/private;v=1/'])
      expect(() => matches(path)).toThrow('bad_request')
    for (const path of ['/v1/files/a/', '/v1/files/a;v=1/b'])
      expect(matches(path)).toBe('/v1/files/{path...}')
  })

  test('400 bad_request: ambiguous paths below it, which reach no upstream', async () => {
    const harness = await createGatewayHarness({ policy: [{ ...openRow, path: '/v1/files/{path...}' }] })
    for (const rest of ['a//b', 'a%2Fb', 'a/%252e', 'a%5cb', 'a%00', 'a/..;x/b', '%c0%ae/a'])
      expect({ rest, status: (await harness.call(`/v1/files/${rest}`)).status }).toEqual({
        rest,
        status: 400,
      })
    expect(harness.forwarded).toHaveLength(0)
    await harness.call('/v1/files/a/b%20c?x=1')
    expect(harness.last().target).toBe('/v1/files/a/b%20c?x=1')
  })

  test('is the last segment, or the row is rejected', () => {
    for (const path of ['/{path...}/a', '/{...}', '/a{path...}', '/{path....}', '/{path..}'])
      expect(() => compile({ ...openRow, path })).toThrow('is not usable: path: must be segments such as')
  })
})

describe('the methods of a row', () => {
  test('may be a list, or all', () => {
    const policy = compile(
      { ...openRow, method: ['GET', 'POST'], path: '/a' },
      { ...openRow, method: '*', path: '/b' },
    )
    expect(policy.methods('/a')).toEqual(['GET', 'HEAD', 'POST'])
    expect(policy.match('POST', '/a').method).toBe('POST')
    expect(policy.methods('/b')).toEqual(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'])
  })

  test('405 method_not_allowed: any other', () => {
    expect(() => compile({ ...openRow, method: ['GET', 'POST'] }).match('PUT', '/open')).toThrow(
      'method_not_allowed',
    )
    expect(() => compile({ ...openRow, method: '*' }).match('PROPFIND', '/open')).toThrow(
      'method_not_allowed',
    )
  })

  test('are rejected where they name nothing, something else or one twice', () => {
    for (const method of [[], ['GET', 'GET'], ['HEAD'], 'ANY', ['*']])
      expect(() => compile({ ...openRow, method })).toThrow(
        'is not usable: method: must be one of GET, POST, PUT, PATCH, DELETE, a list of different ones',
      )
  })

  test('only the GET of a row with several is a WebSocket', () => {
    const policy = compile({ ...openRow, method: '*', websocket: true })
    expect(policy.match('GET', '/open').websocket).toBe(true)
    expect(policy.match('POST', '/open').websocket).toBe(false)
  })
})

describe('a table that cannot be used is rejected at start, naming the row', () => {
  const refused = (row: Record<string, unknown>) => () => compile({ ...openRow, ...row })

  test('a path that could be read in two ways', () => {
    for (const path of [
      'open',
      '/open/',
      '//open',
      '/a b',
      '/a%2fb',
      '/a?b',
      '/*',
      '/:id',
      '/{a-b}',
      '/{1a}',
      '/{a}b',
      '/a/..',
      '/./a',
      '',
    ])
      expect(refused({ path })).toThrow(`The policy row GET ${path} is not usable`)
  })

  test('an unknown method, caller or limit', () => {
    expect(refused({ method: 'HEAD' })).toThrow('The policy row HEAD /open is not usable')
    expect(refused({ method: 'get' })).toThrow('The policy row get /open is not usable')
    expect(refused({ who: 'everyone' })).toThrow(
      'The policy row GET /open is not usable: who: Invalid option: expected one of "public"|"optional"|"user"',
    )
    expect(refused({ limits: ['nobody'] })).toThrow(
      'The policy row GET /open has the limit nobody, which is none of address, mail, user',
    )
  })

  // A slip of the pen in a member's name must not leave a route unprotected.
  test('a member that it does not know', () => {
    expect(refused({ permission: 'users.read' })).toThrow('permission')
    expect(refused({ who: 'user', permissions: { every: ['users.read'] } })).toThrow('every')
  })

  test('no limit at all', () => {
    expect(refused({ limits: [] })).toThrow('The policy row GET /open is not usable')
  })

  test('permissions on a public row', () => {
    for (const rights of [{ permissions: { all: ['a'] } }, { features: ['a'] }, { level: 10 }])
      expect(refused(rights)).toThrow('requires permissions, features or a level, so it must be for users')
    expect(refused({ limits: ['user'] })).toThrow(
      'has the limit user, which counts users, so it must be for users',
    )
  })

  test('rights that name nothing', () => {
    expect(refused({ who: 'user', permissions: { all: [] } })).toThrow(
      'The policy row GET /open is not usable',
    )
    expect(refused({ who: 'user', features: [] })).toThrow('The policy row GET /open is not usable')
  })

  test('an upstream that does not exist', () => {
    expect(refused({ upstream: 'billing' })).toThrow(
      'The policy row GET /open goes to billing, which is no upstream',
    )
  })

  test('a row that is in the table twice, also under another name of its parameter', () => {
    expect(() => compile(openRow, closedRow, openRow)).toThrow(
      'The policy row GET /open is in the table twice',
    )
    expect(() => compile({ ...openRow, path: '/a/{id}' }, { ...closedRow, path: '/a/{name}' })).toThrow(
      'The policy row GET /a/{name} is in the table twice',
    )
    expect(() =>
      compile(
        { ...openRow, path: '/a/{x...}' },
        { ...openRow, method: ['POST', 'GET'], path: '/a/{other...}' },
      ),
    ).toThrow('The policy row POST, GET /a/{other...} is in the table twice: GET /a/{other...}')
  })
})

test('the table that ships compiles', async () => {
  const { routes } = await import('../routes.ts')
  expect(() => compilePolicy(routes, upstreams)).not.toThrow()
})
