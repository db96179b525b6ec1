import type { HttpBindings } from '@hono/node-server'
import { configFromEnvironment } from '../../../shared/node/environment.ts'
import { createLog } from '../../../shared/node/log.ts'
import { serveUntilStopped } from '../../../shared/node/serve.ts'
import { buildGateway } from '../../build.ts'
import { gatewayVariables } from '../../config.ts'
import { createCounting } from './counting.ts'
import { createTransport } from './transport.ts'

const config = configFromEnvironment(gatewayVariables)
const log = createLog('gateway', config.LOG_LEVEL)
const now = Date.now
const counting = createCounting({ redisUrl: config.REDIS_URL, keyPrefix: config.REDIS_KEY_PREFIX, now, log })
const { transport, close: closeTransport } = createTransport()

let stopping = false
const app = await buildGateway<HttpBindings>(config, {
  transport,
  counter: counting.counter,
  limiterHealth: counting.health,
  peerAddress: ({ incoming }) => incoming.socket.remoteAddress,
  now,
  log,
  isStopping: () => stopping,
})

await serveUntilStopped({
  fetch: app.fetch,
  hostname: config.HOST,
  port: config.GATEWAY_PORT,
  log,
  keepAliveSeconds: 65,
  drainSeconds: config.DRAIN_SECONDS,
  onStopping: () => {
    stopping = true
  },
  onStopped: async () => {
    await closeTransport()
    counting.close()
  },
})
