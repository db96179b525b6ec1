import { describe, expect, test } from 'vitest'
import { assertionHeader } from '../../shared/http/headers.ts'
import { createGatewayHarness } from '../../test/support/gateway/gateway-harness.ts'
import { startApiDescription } from '../adapters/node/api-description.ts'
import { createPages } from '../adapters/node/pages.ts'

const document = {
  openapi: '3.0.3',
  info: { title: 'Orders of the shop', version: '1' },
  servers: [{ url: 'http://orders.internal' }],
  security: [{ internal: [] }],
  paths: {
    '/orders/{id}': {
      parameters: [{ name: 'id', in: 'path', required: true, schema: { type: 'integer' } }],
      get: {
        operationId: 'readOrder',
        summary: 'Reads an order',
        security: [{ internal: [] }],
        parameters: [{ $ref: '#/components/parameters/Fields' }],
        responses: {
          200: {
            description: 'It',
            content: { 'application/json': { schema: { $ref: '#/components/schemas/Order' } } },
          },
          404: { $ref: 'https://evil.example/problem.json' },
        },
        callbacks: { done: {} },
      },
      delete: { operationId: 'deleteOrder', responses: { 204: { description: 'Gone' } } },
    },
    '/orders/recent': { get: { operationId: 'recent', responses: { 200: { description: 'Them' } } } },
    '/files/{folder}/{name}': { get: { operationId: 'readFile', responses: { 200: { description: 'It' } } } },
    '/debug': { get: { operationId: 'debug', responses: { 200: { description: 'Secrets' } } } },
  },
  components: {
    schemas: {
      Order: {
        type: 'object',
        properties: {
          parent: { $ref: '#/components/schemas/Order' },
          lines: { type: 'array', items: { $ref: '#/components/schemas/Line' } },
        },
      },
      Line: { type: 'object' },
      Unused: { type: 'object' },
    },
    parameters: { Fields: { name: 'fields', in: 'query', schema: { type: 'string' } } },
    securitySchemes: { internal: { type: 'apiKey', in: 'header', name: 'x' } },
  },
}

const file = {
  name: 'policy.yaml',
  text: `
openapi: { reports: /internal-docs/openapi.json }
routes:
  - { method: GET, path: '/v1/orders/{orderId}', rewrite: '/orders/{orderId}', upstream: reports, who: user, permissions: { all: [orders.read] }, limits: [user] }
  - { method: GET, path: '/v1/orders/recent', upstream: reports, who: public, limits: [address] }
  - { method: GET, path: '/v1/files/{path...}', rewrite: '/files/{path...}', upstream: reports, who: optional, limits: [address] }
`,
}

const settings = {
  NODE_ENV: 'development',
  GATEWAY_PAGES: undefined,
  PRODUCT_NAME: 'Gatehouse',
  PASSWORD_MIN_LENGTH: 12,
} as const

/** The API description of a gateway whose upstream sends this response. */
async function describedWith(answer: () => Response) {
  const harness = await createGatewayHarness({ upstream: answer })
  const pages = createPages(settings, file)
  const read = () => JSON.parse(Buffer.from(pages.byPath.get('/openapi.json')?.body ?? '').toString())
  const before = read()
  const description = startApiDescription({
    pages,
    documents: harness.upstreamDocuments,
    file,
    log: harness.log,
  })
  description.stop()
  return { harness, read, before, description }
}

describe('the OpenAPI document of an upstream', () => {
  test('adds the operations that have a row, as the gateway serves them, and no others', async () => {
    const { harness, read } = await describedWith(() => Response.json(document))
    await expect.poll(() => read().paths['/v1/orders/{orderId}'].get.operationId).toBe('reports.readOrder')
    const { paths, components, tags } = read()
    const { get, delete: remove } = paths['/v1/orders/{orderId}']
    expect(remove).toBeUndefined()
    expect(get).toMatchObject({
      summary: 'Reads an order',
      description: 'Needs the permission `orders.read`.',
      security: [{ accessToken: [] }],
      tags: ['reports'],
      'x-permissions': { all: ['orders.read'] },
      parameters: [
        { name: 'orderId', in: 'path', schema: { type: 'integer' } },
        { $ref: '#/components/parameters/reports.Fields' },
      ],
    })
    expect(get.callbacks).toBeUndefined()
    expect(Object.keys(get.responses)).toEqual(expect.arrayContaining(['200', '401', '403', '404', '429']))
    expect(get.responses['404']).toEqual({})
    expect(paths['/v1/files/{folder}/{name}'].get).toMatchObject({
      operationId: 'reports.readFile',
      security: [{}, { accessToken: [] }],
    })
    expect(JSON.stringify(paths)).not.toMatch(/debug|deleteOrder|reports\.recent|evil|orders\.internal/)
    expect(Object.keys(components.schemas).filter((name) => name.startsWith('reports.'))).toEqual([
      'reports.Order',
      'reports.Line',
    ])
    expect(Object.keys(components.securitySchemes)).not.toContain('reports.internal')
    expect(tags).toContainEqual({ name: 'reports', description: 'Orders of the shop' })
    expect(harness.last()).toMatchObject({ target: '/internal-docs/openapi.json', method: 'GET' })
    expect(harness.last().headers.get(assertionHeader)).toMatch(/^ey/)
  })

  const stream = (bytes: number) =>
    new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new TextEncoder().encode(' '.repeat(64 * 1024)))
        bytes -= 64 * 1024
        if (bytes <= 0) controller.close()
      },
    })

  test.each<[string, () => Response]>([
    ['is missing', () => new Response('no', { status: 404 })],
    ['is no JSON', () => new Response('<html>')],
    ['is no OpenAPI 3', () => Response.json({ swagger: '2.0', paths: {} })],
    ['has more than 1 MiB', () => new Response(stream(1024 * 1024 + 1))],
    [
      'is nested too deeply',
      () => {
        const deep = `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`
        const operation = `{"get":{"responses":{"200":{"description":"x","x-deep":${deep}}}}}`
        return new Response(`{"openapi":"3.1.0","paths":{"/orders/{id}":${operation}}}`)
      },
    ],
  ])('that %s leaves the description as it was, with a line in the log', async (_, answer) => {
    const { harness, read, before } = await describedWith(answer)
    await expect
      .poll(() => harness.lines.find(({ msg }) => String(msg).startsWith('api description')))
      .toBeDefined()
    expect(read()).toEqual(before)
  })

  test('once read, it stays in use when the upstream is gone', async () => {
    let isDown = false
    const { harness, read, description } = await describedWith(() =>
      isDown ? new Response('', { status: 503 }) : Response.json(document),
    )
    await expect.poll(() => read().paths['/v1/orders/{orderId}'].get.operationId).toBeDefined()
    isDown = true
    description.describe(file)
    await expect.poll(() => harness.lines.some(({ msg }) => String(msg).includes('not read'))).toBe(true)
    await expect.poll(() => read().paths['/v1/orders/{orderId}'].get.operationId).toBe('reports.readOrder')
  })
})
