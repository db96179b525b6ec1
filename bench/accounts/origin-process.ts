import { parseArgs } from 'node:util'
import { originVariables } from '../../origin/config.ts'
import { buildOrigin } from '../../origin/origin.ts'
import { readConfig } from '../../shared/config.ts'
import { serveUntilStopped } from '../../shared/node/graceful-server.ts'
import { fetchListener } from '../../shared/node/http/http-server.ts'
import { createLog } from '../../shared/node/log.ts'
import { buildEventLoopLogins } from './event-loop-logins.ts'

/**
 * The origin as a process of its own: `origin/main.ts`, but for a cost that no configuration may
 * have, and logins that hash on the event loop.
 */

const { cost, hashing } = parseArgs({
  options: { cost: { type: 'string', default: '12' }, hashing: { type: 'string', default: 'pool' } },
}).values

const config = { ...readConfig(originVariables, process.env), PASSWORD_HASH_COST: Number(cost) }
const log = createLog('origin', config.LOG_LEVEL)
const origin = await buildOrigin(config, log)

async function withoutPool(): Promise<typeof origin.app.fetch> {
  const logins = await buildEventLoopLogins(config, origin.sql, log)
  return (request, env) => (request.url.endsWith('/auth/login') ? logins : origin.app).fetch(request, env)
}

await serveUntilStopped({
  listener: fetchListener(hashing === 'pool' ? origin.app.fetch : await withoutPool()),
  hostname: config.HOST,
  port: config.ORIGIN_PORT,
  portVariable: 'ORIGIN_PORT',
  log,
  keepAliveSeconds: 75,
  drainDelaySeconds: 0,
  drainSeconds: config.DRAIN_SECONDS,
  onStopping: () => {},
  onStopped: origin.close,
})
