import type { HttpBindings } from '@hono/node-server'
import { configFromEnvironment } from '../../../shared/node/environment.ts'
import { createLog } from '../../../shared/node/log.ts'
import { serveUntilStopped } from '../../../shared/node/serve.ts'
import { buildGateway } from '../../build.ts'
import { gatewayVariables } from '../../config.ts'
import { createCounting } from './counting.ts'
import { readPolicyFile, requireUsablePolicyFile, startPolicyReload } from './policy-reload.ts'
import { createRevocationStream } from './revocation-stream.ts'
import { createTransport } from './transport.ts'

const config = configFromEnvironment(gatewayVariables, requireUsablePolicyFile)
const log = createLog('gateway', config.LOG_LEVEL)
const now = Date.now
const { POLICY_FILE: policyFile } = config
const counting = createCounting({ redisUrl: config.REDIS_URL, keyPrefix: config.REDIS_KEY_PREFIX, now, log })
const revocationStream =
  config.REDIS_URL === undefined
    ? undefined
    : createRevocationStream({ redisUrl: config.REDIS_URL, keyPrefix: config.REDIS_KEY_PREFIX, log })
const { transport, close: closeTransport } = createTransport()

let stopping = false
const gateway = await buildGateway<HttpBindings>(config, {
  transport,
  counter: counting.counter,
  limiterHealth: counting.health,
  peerAddress: ({ incoming }) => incoming.socket.remoteAddress,
  now,
  log,
  isStopping: () => stopping,
  revocationStream,
  policyFile: policyFile ? readPolicyFile(policyFile) : undefined,
})

const policyReload = policyFile && startPolicyReload({ path: policyFile, apply: gateway.usePolicyFile, log })

await serveUntilStopped({
  fetch: gateway.app.fetch,
  hostname: config.HOST,
  port: config.GATEWAY_PORT,
  log,
  keepAliveSeconds: 65,
  drainSeconds: config.DRAIN_SECONDS,
  onStopping: () => {
    stopping = true
  },
  onStopped: async () => {
    if (policyReload) policyReload.stop()
    await gateway.close()
    await closeTransport()
    counting.close()
  },
})
