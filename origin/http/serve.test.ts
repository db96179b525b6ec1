import { Hono } from 'hono'
import { describe, expect, expectTypeOf, test } from 'vitest'
import * as z from 'zod'
import { createApiClient } from '../../shared/endpoint/api-client.ts'
import { defineEndpointGroup } from '../../shared/endpoint/endpoint.ts'
import { Problem, problemResponse } from '../../shared/http/errors.ts'
import type { OriginEnv } from './request-context.ts'
import { serve } from './serve.ts'

const { readOrder, changeOrder, removeOrder, startOrder } = defineEndpointGroup({
  name: 'Orders',
  description: 'For these tests.',
  endpoints: {
    readOrder: {
      method: 'GET',
      path: '/orders/{id}/lines/{line}',
      summary: 'One line of an order',
      params: { id: z.guid().toLowerCase() },
      query: { depth: z.coerce.number().int().max(3).default(1) },
      responses: {
        200: {
          description: 'The line.',
          schema: z.object({ id: z.string(), line: z.string(), depth: z.int() }),
        },
      },
    },
    changeOrder: {
      method: 'PATCH',
      path: '/orders/{id}',
      summary: 'Change an order',
      params: { id: z.guid() },
      body: z.strictObject({ title: z.string().min(1), notes: z.string().default('none') }),
      responses: {
        200: { description: 'Changed.', schema: z.object({ title: z.string(), notes: z.string() }) },
      },
    },
    removeOrder: {
      method: 'DELETE',
      path: '/orders/{id}',
      summary: 'Remove an order',
      responses: { 204: { description: 'Removed.' } },
    },
    startOrder: {
      method: 'POST',
      path: '/orders',
      summary: 'Start an order',
      responses: {
        202: {
          description: 'Started.',
          schema: z.object({ started: z.boolean() }),
          mediaType: 'application/started+json',
        },
      },
    },
  },
}).endpoints

const routes = new Hono<OriginEnv>()
routes.onError((error) => {
  if (!(error instanceof Problem)) throw error
  return problemResponse(error, 'request-1')
})

serve(routes, readOrder, ({ params: { id, line }, query: { depth }, respond }) =>
  respond({ id, line, depth }),
)
serve(
  routes,
  changeOrder,
  async (c, next) => {
    if (c.req.header('authorization') === undefined) throw new Problem('token_missing')
    await next()
  },
  async ({ body, respond }) => respond(body),
)
serve(routes, removeOrder, async ({ respond }) => respond())
serve(routes, startOrder, ({ respond }) => respond({ started: true }))

const id = 'C0FFEE00-0000-0000-0000-000000000000'
const client = createApiClient(
  { readOrder, changeOrder, removeOrder, startOrder },
  { baseUrl: 'http://origin.test', fetch: (url, init) => routes.request(url, init) },
)
const headers = { authorization: 'Bearer x' }

describe('a served contract', () => {
  test('200: the handler gets parameters and query as their schemas read them', async () => {
    const response = await client.readOrder({ params: { id, line: 'a/b ü' }, query: { depth: 2 } })
    expect(response).toMatchObject({ ok: true, body: { id: id.toLowerCase(), line: 'a/b ü', depth: 2 } })
    const shallow = await client.readOrder({ params: { id, line: '1' } })
    expect(shallow).toMatchObject({ status: 200, body: { depth: 1 } })
  })

  test('200: the handler gets the body with its defaults', async () => {
    const response = await client.changeOrder({ params: { id }, body: { title: 'Tea' }, headers })
    expect(response).toMatchObject({ status: 200, body: { title: 'Tea', notes: 'none' } })
  })

  test('202 and 204: the status is the one of the contract, and so is the media type', async () => {
    const started = await client.startOrder()
    expect(started).toMatchObject({ status: 202, body: { started: true } })
    expect(started.headers.get('content-type')).toBe('application/started+json')
    expect(await client.removeOrder({ params: { id } })).toMatchObject({ status: 204, body: undefined })
  })

  test('401: the guard comes before the validation', async () => {
    const response = await client.changeOrder({ params: { id: 'none' }, body: { title: '' } })
    expect(response).toMatchObject({ ok: false, problem: { code: 'token_missing' } })
  })

  test('400 query_invalid: a value that does not fit, and a parameter that is not declared', async () => {
    const response = await client.readOrder({ params: { id, line: '1' }, query: { depth: 4 } })
    expect(response).toMatchObject({ status: 400, problem: { code: 'query_invalid' } })
    const unknown = await routes.request(`/orders/${id}/lines/1?colour=red`)
    expect(await unknown.json()).toMatchObject({
      code: 'query_invalid',
      errors: [{ parameter: 'colour', detail: 'is not a parameter of this path' }],
    })
  })

  test('422 validation_failed: a body that does not fit', async () => {
    const response = await client.changeOrder({ params: { id }, body: { title: '' }, headers })
    expect(response).toMatchObject({
      status: 422,
      problem: { code: 'validation_failed', errors: [{ pointer: '/title' }] },
    })
  })

  test('404 not_found: a path parameter that cannot be one', async () => {
    expect(await client.readOrder({ params: { id: '7', line: '1' } })).toMatchObject({
      status: 404,
      problem: { code: 'not_found' },
    })
  })
})

test('types follow from the contract, in the handler and in the client', () => {
  const typed = new Hono<OriginEnv>()
  serve(typed, readOrder, ({ params, query, body, respond }) => {
    expectTypeOf(params).toEqualTypeOf<{ line: string } & { id: string }>()
    expectTypeOf(query).toEqualTypeOf<{ depth: number }>()
    expectTypeOf(body).toEqualTypeOf<undefined>()
    // @ts-expect-error: a member that the contract does not have
    return respond({ id: '', line: '', depth: 1, secret: '' })
  })
  // @ts-expect-error: a member of the body is missing
  serve(typed, changeOrder, ({ respond }) => respond({ title: '' }))
  const paths = typed.routes.map(({ method, path }) => `${method} ${path}`)
  expect(new Set(paths)).toEqual(new Set(['GET /orders/:id/lines/:line', 'PATCH /orders/:id']))
  // @ts-expect-error: the body is required
  const calls = [() => client.changeOrder({ params: { id } })]
  // @ts-expect-error: a parameter is missing
  calls.push(() => client.removeOrder({ params: {} }))
})
