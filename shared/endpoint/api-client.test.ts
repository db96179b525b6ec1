import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { Problem, problemResponse } from '../http/errors.ts'
import { createApiClient, ResponseError, successBody } from './api-client.ts'
import { defineEndpoints } from './endpoint.ts'

const endpoints = defineEndpoints({
  findOrders: {
    method: 'GET',
    path: '/shops/{shop}/orders',
    summary: 'Orders of a shop',
    query: { title: z.string().optional(), limit: z.coerce.number().default(10) },
    responses: { 200: { description: 'Orders.', schema: z.object({ items: z.array(z.string()) }) } },
  },
  pay: {
    method: 'POST',
    path: '/pay',
    summary: 'Pay',
    form: z.object({ amount: z.string(), note: z.string().optional() }),
    responses: { 204: { description: 'Paid.' } },
  },
})

/** A client of a server that gives one response, and what that server was asked. */
function clientOf(response: () => Response) {
  const asked: Request[] = []
  const client = createApiClient(endpoints, {
    baseUrl: 'http://api.test/base',
    headers: { authorization: 'Bearer x' },
    fetch(url, init) {
      asked.push(new Request(url, init))
      return response()
    },
  })
  return { client, asked }
}

describe('a client', () => {
  test('escapes parameters, leaves out what is undefined, and sends its headers', async () => {
    const { client, asked } = clientOf(() => Response.json({ items: [], more: true }))
    const response = await client.findOrders({
      params: { shop: 'a/b ?' },
      query: { title: undefined, limit: 2 },
    })
    expect(asked[0]?.url).toBe('http://api.test/base/shops/a%2Fb%20%3F/orders?limit=2')
    expect(asked[0]?.headers.get('authorization')).toBe('Bearer x')
    expect(successBody(response)).toEqual({ items: [] })
  })

  test('sends a form', async () => {
    const { client, asked } = clientOf(() => new Response(null, { status: 204 }))
    expect(await client.pay({ form: { amount: '1 €' } })).toMatchObject({ ok: true, body: undefined })
    expect(asked[0]?.headers.get('content-type')).toBe('application/x-www-form-urlencoded')
    expect(await asked[0]?.text()).toBe('amount=1+%E2%82%AC')
  })

  test('throws where a body of success is not as the contract has it', async () => {
    const { client } = clientOf(() => Response.json({ items: [1] }))
    await expect(client.findOrders({ params: { shop: 'a' } })).rejects.toThrow(z.ZodError)
  })

  test('gives a problem back by its code, and null for any other error', async () => {
    const forbidden = clientOf(() => problemResponse(new Problem('scope_required'), 'request-1'))
    const response = await forbidden.client.findOrders({ params: { shop: 'a' } })
    expect(response).toMatchObject({ ok: false, status: 403, problem: { code: 'scope_required' } })
    expect(() => successBody(response)).toThrow(ResponseError)
    expect(() => successBody(response)).toThrow('403 scope_required: The token lacks a scope')

    const { client } = clientOf(() => new Response('<html>', { status: 502 }))
    const broken = await client.findOrders({ params: { shop: 'a' } })
    expect(broken).toMatchObject({ ok: false, status: 502, problem: null })
    expect(() => successBody(broken)).toThrow('status 502')
  })
})
