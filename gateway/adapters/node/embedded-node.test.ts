import type { Server } from 'node:http'
import { createAdaptorServer, type HttpBindings } from '@hono/node-server'
import { gatehouse } from 'gatehouse'
import { createNodeRuntime } from 'gatehouse/node'
import { Hono } from 'hono'
import { afterAll, expect, test } from 'vitest'
import { bearer, createFullStack } from '../../../test/support/full-stack/full-stack.ts'
import { closeSockets, listen } from '../../../test/support/gateway/sockets.ts'
import { parseList } from '../../../test/support/structured-fields.ts'
import { redisForFile } from '../../../tools/servers/redis/test-redis.ts'

afterAll(closeSockets)

const serve = (fetch: (request: Request) => Response | Promise<Response>) =>
  listen(createAdaptorServer({ fetch, overrideGlobalObjects: false }) as Server)

test('an app on sockets of its own, by the package’s names and the variables of a gateway', async () => {
  const REDIS_URL = await redisForFile()
  const fullStack = await createFullStack({ environment: { REDIS_URL } })
  const originPort = await serve(fullStack.origin.fetch as (request: Request) => Promise<Response>)
  const runtime = createNodeRuntime({
    ...fullStack.secrets,
    REDIS_URL,
    ORIGIN_URL: `http://127.0.0.1:${originPort}`,
    LOG_LEVEL: 'error',
  })
  const gate = gatehouse(
    [{ method: 'GET', path: '/orders', who: 'user', limits: ['user', 'address'] }],
    runtime,
  )
  const app = new Hono<{ Bindings: HttpBindings }>()
    .use(gate)
    .get('/orders', (c) => c.json({ email: c.var.caller?.email }))
  const port = await serve(app.fetch as (request: Request) => Promise<Response>)

  const { email, tokens } = await fullStack.signUp('sockets@example.com')
  const ask = () => fetch(`http://127.0.0.1:${port}/orders`, { headers: bearer(tokens.access_token) })
  const answer = await ask()
  expect(await answer.json()).toEqual({ email })
  const left = parseList(answer.headers.get('ratelimit')).map(({ value, parameters }) => [
    value,
    parameters.r,
  ])
  expect(left).toEqual([
    ['user', 999],
    ['address', 99],
  ])

  await fullStack.post('/auth/logout', { refresh_token: tokens.refresh_token })
  await expect.poll(async () => (await ask()).status, { timeout: 5000 }).toBe(401)
  await gate.close()
  await runtime.close()
  await fullStack.close()
})
