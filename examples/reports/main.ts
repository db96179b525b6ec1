import { createAssertionVerifier } from '../../shared/auth/assertion.ts'
import { fetchListener } from '../../shared/node/http/http-server.ts'
import { runService } from '../../shared/node/run-service.ts'
import { createServiceServer } from '../../shared/node/service-server.ts'
import { createReports } from './app.ts'

await runService({
  name: 'reports',
  variables: ['ASSERTION_PUBLIC_JWKS'],
  portVariable: 'REPORTS_PORT',

  async start({ config, log, isStopping }) {
    const verifyAssertion = await createAssertionVerifier({
      keys: config.ASSERTION_PUBLIC_JWKS.keys,
      audience: 'reports',
      onRejected: (reason) => log.warn({ reason }, 'assertion refused'),
    })
    const app = createReports({ verifyAssertion, log })
    return {
      server: createServiceServer({ listener: fetchListener(app.fetch), keepAliveSeconds: 75, isStopping }),
      close: async () => {},
    }
  },
})
