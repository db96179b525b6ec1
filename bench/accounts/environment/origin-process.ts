import { parseArgs } from 'node:util'
import { originVariables } from '../../../origin/config.ts'
import { createOrigin } from '../../../origin/origin.ts'
import { fetchListener } from '../../../shared/node/http/http-server.ts'
import { runService } from '../../../shared/node/run-service.ts'
import { createServiceServer } from '../../../shared/node/service-server.ts'
import { buildEventLoopLogins } from './event-loop-logins.ts'

/**
 * The origin as a process of its own: `origin/main.ts`, but for a cost that no configuration may
 * have, and logins that hash on the event loop.
 */

const { cost, hashing } = parseArgs({
  options: { cost: { type: 'string', default: '12' }, hashing: { type: 'string', default: 'pool' } },
}).values

await runService({
  name: 'origin',
  variables: originVariables,
  portVariable: 'ORIGIN_PORT',

  async start({ config: usable, log, isStopping }) {
    const config = { ...usable, PASSWORD_HASH_COST: Number(cost) }
    const origin = await createOrigin(config, log)

    async function withoutPool(): Promise<typeof origin.app.fetch> {
      const logins = await buildEventLoopLogins(config, origin.sql, log)
      return (request, env) => (request.url.endsWith('/auth/login') ? logins : origin.app).fetch(request, env)
    }

    return {
      server: createServiceServer({
        listener: fetchListener(hashing === 'pool' ? origin.app.fetch : await withoutPool()),
        keepAliveSeconds: 75,
        isStopping,
      }),
      close: origin.close,
    }
  },
})
