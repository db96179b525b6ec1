import { createAssertionVerifier } from '../../shared/auth/assertion.ts'
import { configFromEnvironment } from '../../shared/node/environment.ts'
import { serveUntilStopped } from '../../shared/node/graceful-server.ts'
import { fetchListener } from '../../shared/node/http/http-server.ts'
import { createLog } from '../../shared/node/log.ts'
import { createReports } from './app.ts'

const config = configFromEnvironment([
  'HOST',
  'LOG_LEVEL',
  'REPORTS_PORT',
  'DRAIN_SECONDS',
  'DRAIN_DELAY_SECONDS',
  'ASSERTION_PUBLIC_JWKS',
])
const log = createLog('reports', config.LOG_LEVEL)
const verifyAssertion = await createAssertionVerifier({
  keys: config.ASSERTION_PUBLIC_JWKS.keys,
  audience: 'reports',
  onRejected: (reason) => log.warn({ reason }, 'assertion refused'),
})
const app = createReports({ verifyAssertion, log })

await serveUntilStopped({
  listener: fetchListener(app.fetch),
  hostname: config.HOST,
  port: config.REPORTS_PORT,
  portVariable: 'REPORTS_PORT',
  log,
  keepAliveSeconds: 75,
  drainDelaySeconds: config.DRAIN_DELAY_SECONDS,
  drainSeconds: config.DRAIN_SECONDS,
  onStopping: () => {},
  onStopped: async () => {},
})
