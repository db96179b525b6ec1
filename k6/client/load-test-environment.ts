import http from 'k6/http'

/** The environment, as the runner described it. */
export const gatewayUrl = __ENV.GATEWAY_URL ?? 'http://127.0.0.1:8080'
export const rate = Number(__ENV.RATE ?? 10)
export const seconds = Number(__ENV.SECONDS ?? 30)
export const gateways = Number(__ENV.GATEWAYS ?? 1)

interface Part {
  name: string
  processor_ms: number
  resident_bytes: number
}

/** Has the runner do something to the environment, and waits until it is done. */
function act(method: 'GET' | 'POST', path: string, timeout = '60s') {
  const answer = http.request(method, `${__ENV.CONTROL_URL}${path}`, null, {
    tags: { name: 'control' },
    timeout,
  })
  if (answer.status !== 200) throw new Error(`${path} answered ${answer.status}: ${answer.body}`)
  return answer.json()
}

export const killRedis = () => act('POST', '/redis/kill')
export const restartRedis = () => act('POST', '/redis/restart')
export const rotateKeys = () => act('POST', '/keys/rotate')
export const restartGateway = (number: number) => act('POST', `/gateway/${number}/restart`)
/** Requests that the balancer saw go unanswered. */
export const countCutRequests = () => Number(act('GET', '/cut-requests'))
export const readParts = () => act('GET', '/parts') as unknown as Part[]
/** Returns when the generator's users have come. */
export const startLoad = () => act('POST', '/load/start', '10m')
/** The generator's figures, by the name of their metric. */
export const finishLoad = () => act('POST', '/load/finish') as unknown as Record<string, number>
