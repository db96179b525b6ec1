import { createServer } from 'node:http'
import { createAssertionVerifier } from '../../shared/auth/assertion.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { configFromEnvironment } from '../../shared/node/environment.ts'

/**
 * The product behind the gateway, as a process: one short answer, which says whom the gateway said
 * is asking. A mix-up of two users under load shows in it.
 */

const config = configFromEnvironment(['HOST', 'ASSERTION_PUBLIC_JWKS'])
const verifyAssertion = await createAssertionVerifier({
  keys: config.ASSERTION_PUBLIC_JWKS.keys,
  audience: 'product',
})

/** As long as a short JSON answer of an API is. */
const filler = 'x'.repeat(220)

const server = createServer(async (request, response) => {
  if (request.url === '/live') return void response.end('{}')
  const assertion = await verifyAssertion(String(request.headers[assertionHeader]))
  const body = JSON.stringify({ user_id: assertion?.user?.sub ?? null, filler })
  response.writeHead(assertion?.user ? 200 : 401, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
  })
  response.end(body)
})
// Above the gateway's own, so that no request meets a closing socket.
server.keepAliveTimeout = 75_000
server.listen(Number(process.argv[2]), config.HOST)
process.once('SIGTERM', () => process.exit(0))
