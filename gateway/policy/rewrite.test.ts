import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createGatewayHarness, openRow } from '../../test/support/gateway/gateway-harness.ts'
import { compilePolicy, type PolicyRow } from './policy.ts'
import { readTarget } from './request-target.ts'

const row = (path: string, rewrite: string): PolicyRow => ({ ...openRow, path, rewrite })
const compile = (path: string, rewrite: string) => compilePolicy([row(path, rewrite)], ['reports'])

/** The path that a row sends upstream. */
const rewritten = (path: string, rewrite: string, requested: string) =>
  compile(path, rewrite).match('GET', requested).toUpstreamPath?.(requested)

describe('a rewrite', () => {
  test.each([
    ['/v1/orders/{orderId}', '/orders/{orderId}', '/v1/orders/7', '/orders/7'],
    ['/v1/{a}/x/{b}', '/{b}/{a}/{b}', '/v1/1/x/2', '/2/1/2'],
    ['/v1/files/{path...}', '/{path...}', '/v1/files/a/b%20c.txt', '/a/b%20c.txt'],
    ['/v1/files/{path...}', '/raw/{path...}/meta', '/v1/files/a/b', '/raw/a/b/meta'],
    ['/v1/{tenant}/files/{path...}', '/{path...}', '/v1/t/files/a/b/', '/a/b/'],
    ['/v1/files/{path...}', '/raw/{path...}/meta', '/v1/files/a/', '/raw/a/meta'],
    ['/v1/files/{path...}', '/raw/{path...}/', '/v1/files/a/', '/raw/a/'],
    ['/v1/files/{path...}', '/raw/{path...}/', '/v1/files/a', '/raw/a/'],
    ['/v1/files/{path...}', '/{path...}/{path...}', '/v1/files/a/', '/a/a/'],
    ['/v1/orders', '/', '/v1/orders', '/'],
    ['/v1/orders', '/orders/', '/v1/orders', '/orders/'],
    ['/v1/{id}', '/{id}/', '/v1/7', '/7/'],
    ['/v1/{id}', '/fixed', '/v1/7', '/fixed'],
  ])('%s as %s sends %s to %s', (path, rewrite, requested, expected) => {
    expect(rewritten(path, rewrite, requested)).toBe(expected)
  })

  test('200: the upstream sees the rewritten path with the query as it was', async () => {
    const harness = await createGatewayHarness({ policy: [row('/v1/orders/{id}', '/orders/{id}')] })
    expect((await harness.call('/v1/orders/%37?a=%2F&a=1')).status).toBe(200)
    expect(harness.last().target).toBe('/orders/7?a=%2F&a=1')
  })

  test.each([
    ['/v1/{id}', '/{order}', 'names {order}, but the path has {id}'],
    ['/v1/a', '/{id}', 'names {id}, but the path has no parameter'],
    ['/v1/{path...}', '/{path}', 'names {path}, but the path has {path...}'],
    ['/v1/{id}', '/{id...}', 'names {id...}, but the path has {id}'],
    ['/{id}/{id}', '/{id}', 'names {id}, which the path has twice'],
    ['/v1/{id}', '/../{id}', 'must be segments'],
    ['/v1/{id}', '/a//{id}', 'must be segments'],
    ['/v1/{id}', 'orders/{id}', 'must be segments'],
    ['/v1/{id}', '/a?b={id}', 'must be segments'],
    ['/v1/{id}', '/a%2f', 'must be segments'],
  ])('of %s to %s is rejected at load: %s', (path, rewrite, reason) => {
    expect(() => compile(path, rewrite)).toThrow(`rewrite: ${reason}`)
  })

  test.each([
    '/x/{rest...}/{a}/y/{b}',
    '/x/{rest...}',
    '/{rest...}/',
    '/{rest...}/meta',
    '/{b}/{rest...}/{rest...}/',
  ])('to %s of a path that can be read in one way can be read in one way', (rewrite) => {
    const part = fc.oneof(
      { weight: 3, arbitrary: fc.stringMatching(/^[a-z.~]{1,4}$/) },
      { weight: 1, arbitrary: fc.stringMatching(/^(?:[a-z.;~%*]|%[0-9a-fA-F]{2}){1,6}$/) },
    )
    const { match } = compile('/v1/{a}/{b}/{rest...}', rewrite)
    let sent = 0
    fc.assert(
      fc.property(fc.array(part, { minLength: 3, maxLength: 6 }), fc.boolean(), (segments, isSlashLast) => {
        const target = `/v1/${segments.join('/')}${isSlashLast ? '/' : ''}`
        let read: string
        try {
          read = readTarget(target).path
          match('GET', read)
        } catch {
          return
        }
        sent++
        const upstream = rewritten('/v1/{a}/{b}/{rest...}', rewrite, read) as string
        expect(upstream).not.toContain('//')
        expect(readTarget(upstream).path).toBe(upstream)
      }),
      { numRuns: 1000 },
    )
    expect(sent).toBeGreaterThan(100)
  })
})
