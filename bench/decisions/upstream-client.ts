import { get, Agent as HttpAgent } from 'node:http'
import { Agent } from 'undici'
import { createUpstreams } from '../../gateway/adapters/node/upstream/pools.ts'
import { startUpstream } from '../gateway/environment/upstream.ts'
import { printCosts } from './processor-cost.ts'

/** The cost of one GET of 300 bytes with each client, 64 in progress at once. */

const concurrent = 64
const upstream = await startUpstream()
const headers = {
  'x-request-id': crypto.randomUUID(),
  via: '1.1 gatehouse',
  'gatehouse-assertion': 'x'.repeat(800),
}
const rawHeaders = Object.entries(headers).flat()

const own = createUpstreams({ maxAgeMs: 60_000 })
const agent = new Agent({ connections: concurrent })
const httpAgent = new HttpAgent({ keepAlive: true, maxSockets: concurrent })

const sendOwn = () =>
  new Promise<void>((resolve, reject) => {
    own.poolOf(upstream.url).send({
      method: 'GET',
      target: '/v1/reports',
      headers: rawHeaders,
      body: null,
      contentLength: undefined,
      bodyIdleMs: 60_000,
      onInterim() {},
      onHead() {},
      onData() {},
      onEnd: resolve,
      onError: reject,
    })
  })

const sendDispatch = () =>
  new Promise<void>((resolve, reject) => {
    agent.dispatch(
      { origin: upstream.url, path: '/v1/reports', method: 'GET', headers },
      {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData() {},
        onResponseEnd: () => resolve(),
        onResponseError: (_, error) => reject(error),
      },
    )
  })

async function sendRequest(): Promise<void> {
  const { body } = await agent.request({ origin: upstream.url, path: '/v1/reports', method: 'GET', headers })
  await body.dump()
}

const sendHttp = () =>
  new Promise<void>((resolve, reject) => {
    get(`${upstream.url}/v1/reports`, { agent: httpAgent, headers }, (response) => {
      response.on('end', resolve).resume()
    }).on('error', reject)
  })

async function sendFetch(): Promise<void> {
  await (await fetch(`${upstream.url}/v1/reports`, { headers })).arrayBuffer()
}

await printCosts(
  [
    { name: 'own client', work: sendOwn },
    { name: 'undici dispatch', work: sendDispatch },
    { name: 'undici request', work: sendRequest },
    { name: 'node:http', work: sendHttp },
    { name: 'global fetch', work: sendFetch },
  ],
  { times: 10_000, concurrent },
)
own.close()
await agent.close()
httpAgent.destroy()
await upstream.stop()
