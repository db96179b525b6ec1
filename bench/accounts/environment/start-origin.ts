import { fileURLToPath } from 'node:url'
import { Agent, request } from 'undici'
import type { Secrets } from '../../../dev/secrets.ts'
import { assertionLifeSeconds } from '../../../shared/auth/assertion.ts'
import type { Identity } from '../../../shared/auth/claims.ts'
import { privateJwkSchema } from '../../../shared/auth/jwk.ts'
import { assertionHeader } from '../../../shared/http/headers.ts'
import type { Awaitable } from '../../../shared/lib/async.ts'
import { importNodeSigner } from '../../../shared/node/keys.ts'
import { signAssertion } from '../../../test/support/sign-assertion.ts'
import { startChildServer } from '../../../tools/servers/process/child-server.ts'
import { findFreePort } from '../../../tools/servers/process/free-port.ts'
import { createTemporaryFolder, removeFolder } from '../../../tools/servers/process/temporary-folder.ts'
import { password } from './seed.ts'

interface StartOptions {
  databaseUrl: string
  secrets: Secrets
  /** bcrypt's log2 of rounds. */
  cost: number
  threads: number
  hashing?: 'pool' | 'event-loop'
}

export interface Answer {
  status: number
  retryAfter: string | undefined
  ms: number
}

export type BenchOrigin = Awaited<ReturnType<typeof startOrigin>>

const entry = fileURLToPath(new URL('./origin-process.ts', import.meta.url))

/** Age at which the bench makes a new assertion, with room for a slow response. */
const renewMs = (assertionLifeSeconds * 1000) / 2

/**
 * Runs the origin as a process on a loopback port while the work takes, with a client that calls it
 * as a gateway does.
 */
export async function withOrigin<Result>(
  options: StartOptions,
  work: (origin: BenchOrigin) => Promise<Result>,
): Promise<Result> {
  const origin = await startOrigin(options)
  try {
    return await work(origin)
  } finally {
    await origin.kill()
  }
}

async function startOrigin({ databaseUrl, secrets, cost, threads, hashing = 'pool' }: StartOptions) {
  const folder = await createTemporaryFolder('origin')
  const port = await findFreePort()
  const url = `http://127.0.0.1:${port}`
  const child = await startChildServer({
    command: process.execPath,
    args: [entry, '--cost', `${cost}`, '--hashing', hashing],
    folder,
    env: {
      ...secrets,
      // Address limits are not measured: every login comes from one address.
      LIMIT_CREDENTIALS_TRIES: '1000000',
      PATH: process.env.PATH,
      NODE_ENV: 'test',
      DATABASE_URL: databaseUrl,
      ORIGIN_PORT: `${port}`,
      PASSWORD_HASH_THREADS: `${threads}`,
      DRAIN_DELAY_SECONDS: '0',
    },
    endSignal: 'SIGTERM',
    ping: async () => {
      if (!(await fetch(`${url}/live`)).ok) throw new Error('not live')
    },
  })
  // Opens a connection for each concurrent request: no request waits for another's response.
  const agent = new Agent({ connections: null, headersTimeout: 0, bodyTimeout: 0 })
  const signer = await importNodeSigner(privateJwkSchema.parse(JSON.parse(secrets.ASSERTION_PRIVATE_JWK)))

  /** One assertion for many requests, as the gateway does it. */
  function createAssertionSource(user: Identity | null) {
    let assertion: Awaitable<string> | undefined
    let signedAt = 0
    return function currentAssertion(): Awaitable<string> {
      if (!assertion || performance.now() - signedAt > renewMs) {
        const nowSeconds = Math.floor(Date.now() / 1000)
        const expiresAtSeconds = nowSeconds + assertionLifeSeconds
        assertion = signAssertion(user, { signer, audience: 'origin', nowSeconds, expiresAtSeconds })
        signedAt = performance.now()
      }
      return assertion
    }
  }
  const anonymousAssertion = createAssertionSource(null)

  async function ask(path: string, assertion: string, body?: unknown, signal?: AbortSignal): Promise<Answer> {
    const startedAt = performance.now()
    const answer = await request(url + path, {
      dispatcher: agent,
      method: body ? 'POST' : 'GET',
      headers: {
        [assertionHeader]: assertion,
        'x-forwarded-for': '203.0.113.7',
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      ...(signal && { signal }),
    })
    await answer.body.dump()
    return {
      status: answer.statusCode,
      retryAfter: answer.headers['retry-after']?.toString(),
      ms: performance.now() - startedAt,
    }
  }

  return {
    pid: child.pid,

    /** @param given by default the right one */
    login: async (email: string, given = password, signal?: AbortSignal) =>
      ask('/auth/login', await anonymousAssertion(), { email, password: given }, signal),

    /** @returns a function that asks for one user's profile */
    createMe(user: Identity) {
      const currentAssertion = createAssertionSource(user)
      return async (signal?: AbortSignal) => ask('/v1/me', await currentAssertion(), undefined, signal)
    },

    /**
     * Kills the process: a flooded event loop would take minutes to drain, and no client waits for
     * its responses.
     */
    async kill() {
      child.signal('SIGKILL')
      await child.end()
      await agent.destroy()
      await removeFolder(folder)
    },
  }
}
