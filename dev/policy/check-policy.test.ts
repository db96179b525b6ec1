import { expect, test } from 'vitest'
import { PolicyFileError } from '../../gateway/policy/policy-file.ts'
import { checkPolicy } from './check-policy.ts'

const names = { permissions: ['orders.read'], features: ['api_access'] }

const check = (rows: string) =>
  checkPolicy({ file: { name: 'policy.yaml', text: `routes:\n${rows}` }, upstreams: ['orders'], names })

const row = (method: string, path: string, more = '') =>
  `  - { method: ${method}, path: '${path}', upstream: orders, who: user, limits: [user]${more} }\n`

test('a table without faults has no finding', () => {
  expect(check(row('GET', '/v1/orders/{id}') + row('GET', '/v1/orders/recent'))).toEqual([])
})

test('unknown permissions, features and upstreams are errors, by file, line and field', () => {
  const refused = (more: string) => () => check(row('GET', '/v1/a') + row('GET', '/v1/b', more))
  for (const [more, reason] of [
    [', permissions: { all: [order.read] }', 'permissions: .*the nearest is orders.read'],
    [', features: [api_acces]', 'features: .*the nearest is api_access'],
  ] as const)
    expect(refused(more)).toThrow(new RegExp(`^policy.yaml:3: ${reason}`))
  expect(() => check(row('GET', '/v1/a').replace('orders', 'order'))).toThrow(
    /^policy.yaml:2: upstream: .*must be one of origin, orders/,
  )
})

test('a row whose method another path takes is shadowed', () => {
  expect(check(row('DELETE', '/v1/orders/{id}') + row('GET', '/v1/orders/recent'))).toEqual([
    {
      line: 2,
      text: 'DELETE /v1/orders/recent is 405, although DELETE /v1/orders/{id} matches it: the row of /v1/orders/recent wins, and has GET, HEAD alone',
    },
  ])
})

test('a row below a rest parameter shadows it, and one of the file a built-in row', () => {
  const [first, second] = check(row("'*'", '/v1/files/{path...}') + row('GET', '/v1/files/{id}/parts'))
  expect(first?.text).toContain('is 405, although POST /v1/files/{path...} matches it')
  expect(second?.line).toBe(2)
  expect(check(row('POST', '/admin/users/export')).map(({ text }) => text)).toEqual([
    expect.stringContaining('GET /admin/users/export is 405, although GET /admin/users/{id} matches it'),
  ])
})

test('a path that the gateway answers itself is named', () => {
  expect(check(row('GET', '/docs'))).toEqual([
    { line: 2, text: expect.stringContaining('/docs is a path of the gateway itself') },
  ])
})

test('two equivalent rows are an error', () => {
  expect(() => check(row('GET', '/v1/{a}') + row('[GET, PUT]', '/v1/{b}'))).toThrow(PolicyFileError)
})
