import { createServer } from 'node:http'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchBrowser } from '../support/full-stack/launch-browser.ts'
import { openRow } from '../support/gateway/gateway-harness.ts'
import { closeSockets, listen, startGatewayWithUpstream } from '../support/gateway/sockets.ts'

let browser: Browser
let page: Page
let api: string
/** The headers of the last request that reached the upstream. */
let received: Record<string, unknown> = {}

beforeAll(async () => {
  const pages = createServer((_, response) =>
    response.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>A frontend</title>'),
  )
  const origin = `http://localhost:${await listen(pages)}`
  const { port } = await startGatewayWithUpstream(
    (request, response) => {
      received = request.headers
      response.writeHead(201, {
        etag: '"v2"',
        location: '/open/2',
        link: '</open?cursor=2>; rel="next"',
        'x-total-count': '7',
        'x-own': 'own',
        'x-hidden': 'hidden',
      })
      response.end('{}')
    },
    {
      environment: { CORS_ORIGINS: origin, CORS_EXPOSED_HEADERS: 'X-Own' },
      policy: [
        { ...openRow, method: 'PUT' },
        { ...openRow, method: 'GET' },
      ],
    },
  )
  api = `http://127.0.0.1:${port}`
  browser = await launchBrowser()
  page = await browser.newPage()
  await page.goto(origin)
}, 120_000)
afterAll(async () => {
  await browser?.close()
  await closeSockets()
})

/** Calls the gateway from the page, as a frontend of another origin does. */
const call = (path: string, method: string, headers: Record<string, string>) =>
  page.evaluate(
    async ([url, method, headers]) => {
      const answer = await fetch(url, { method, headers, credentials: 'include' })
      return { status: answer.status, headers: Object.fromEntries(answer.headers) }
    },
    [api + path, method, headers] as const,
  )

test('a page of an allowed origin sends what its libraries add, and reads what it needs', async () => {
  const headers = {
    traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    baggage: 'tenant=a',
    'if-match': '"v1"',
    'idempotency-key': 'b7c1',
    prefer: 'return=minimal',
    'x-csrf-token': 'c',
  }
  const answer = await call('/open', 'PUT', headers)
  expect(answer).toMatchObject({
    status: 201,
    headers: {
      etag: '"v2"',
      location: '/open/2',
      link: '</open?cursor=2>; rel="next"',
      'x-total-count': '7',
      'x-own': 'own',
      ratelimit: expect.any(String),
      'x-request-id': expect.any(String),
    },
  })
  expect(answer.headers).not.toHaveProperty('x-hidden')
  expect(received).toMatchObject(headers)
})

test('it reads a rejection, with what allows it to act on it', async () => {
  const answer = await call('/nowhere', 'GET', { 'if-none-match': '"v1"' })
  expect(answer).toMatchObject({ status: 404, headers: { 'x-request-id': expect.any(String) } })
})

test('a header that the gateway would not forward fails in the browser, and is not lost silently', async () => {
  await expect(call('/open', 'PUT', { 'x-http-method-override': 'DELETE' })).rejects.toThrow(
    'Failed to fetch',
  )
})
