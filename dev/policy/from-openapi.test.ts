import { expect, test } from 'vitest'
import { compilePolicy } from '../../gateway/policy/policy.ts'
import { parsePolicyFile } from '../../gateway/policy/policy-file.ts'
import { openApiSchema, rowsFromOpenApi } from './from-openapi.ts'

const document = openApiSchema.parse({
  openapi: '3.1.0',
  servers: [{ url: 'https://orders.internal/api/' }],
  security: [{ token: [] }],
  paths: {
    '/orders/{orderId}': { get: {}, delete: {}, parameters: [] },
    '/health': { get: { security: [] } },
    '/catalogue': { get: { security: [{}, { token: [] }] }, post: {} },
    '/reports/{year}-{month}': { get: {} },
  },
})

test('writes rows that a gateway takes: one for the methods that the same callers have', () => {
  const { yaml, left } = rowsFromOpenApi(document, { upstream: 'orders', prefix: '' })
  const rows = parsePolicyFile(yaml, 'policy.yaml').map(({ row }) => row)
  expect(rows).toMatchObject([
    { method: ['GET', 'DELETE'], path: '/api/orders/{orderId}', who: 'user', limits: ['user'] },
    { method: 'GET', path: '/api/health', who: 'public', limits: ['address'] },
    { method: 'GET', path: '/api/catalogue', who: 'optional', limits: ['address', 'user'] },
    { method: 'POST', path: '/api/catalogue', who: 'user', upstream: 'orders' },
  ])
  expect(() => compilePolicy(rows, ['orders'])).not.toThrow()
  expect(left).toEqual(['/reports/{year}-{month}'])
})

test('with a prefix the rows rewrite it to the path of the service', () => {
  const { yaml } = rowsFromOpenApi(document, { upstream: 'orders', prefix: '/v1' })
  expect(parsePolicyFile(yaml, 'policy.yaml')[0]?.row).toMatchObject({
    path: '/v1/api/orders/{orderId}',
    rewrite: '/api/orders/{orderId}',
  })
})
