import { createHmac } from 'node:crypto'
import * as z from 'zod'
import { Problem } from '../../shared/http/errors.ts'
import type { Now } from '../../shared/lib/time.ts'

interface LegacyVerifierOptions {
  url: string
  /** 32 bytes. */
  secret: Uint8Array
  timeoutSeconds: number
  /** Requests in flight; further logins are shed. */
  atOnce?: number
  fetch?: typeof globalThis.fetch
  now?: Now
}

interface LegacyAccount {
  email: string
  externalId: string | null
}

/**
 * Asks the former system whether a password is right.
 *
 * @throws Problem `verifier_unavailable`, `overloaded`
 */
export type LegacyVerifier = (password: string, account: LegacyAccount) => Promise<boolean>

/** The stored text of an account whose password only the former system can verify. */
export const leftToVerifier = 'verifier:'

/** The same in an import, where each hash begins with its scheme. */
export const verifierForm = '$verifier$'

export const verifierUnavailable = (cause: unknown) => new Problem('verifier_unavailable', { cause })

const timestampHeader = 'gatehouse-timestamp'
const signatureHeader = 'gatehouse-signature'

/** Bytes of a response: `{"valid":true}` has 14. */
const longestResponse = 4096

const verdictSchema = z.object({ valid: z.boolean() })

/**
 * Signs each request: HMAC-SHA256 over `<timestamp>.<body>`, with the time in seconds, so that the
 * verifier can reject replays. A redirect is not followed: it would send the password elsewhere.
 */
export function createLegacyVerifier({
  url,
  secret,
  timeoutSeconds,
  atOnce = 64,
  fetch = globalThis.fetch,
  now = Date.now,
}: LegacyVerifierOptions): LegacyVerifier {
  let inFlight = 0

  async function ask(password: string, { email, externalId }: LegacyAccount): Promise<boolean> {
    const timestamp = String(Math.floor(now() / 1000))
    const body = JSON.stringify({ email, external_id: externalId, password })
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        [timestampHeader]: timestamp,
        [signatureHeader]: `v1=${signatureOf(secret, timestamp, body)}`,
      },
      body,
      redirect: 'error',
      signal: AbortSignal.timeout(timeoutSeconds * 1000),
    })
    const text = await readShort(response)
    if (response.status !== 200) throw new Error(`the verifier answered ${response.status}`)
    return verdictSchema.parse(JSON.parse(text)).valid
  }

  return async function verifyAtLegacy(password, account) {
    if (inFlight >= atOnce) throw new Problem('overloaded', { cause: 'too many requests to the verifier' })
    inFlight += 1
    try {
      return await ask(password, account)
    } catch (cause) {
      throw verifierUnavailable(cause)
    } finally {
      inFlight -= 1
    }
  }
}

interface VerifierConfig {
  LEGACY_VERIFIER_URL?: string | undefined
  LEGACY_VERIFIER_SECRET?: Uint8Array | undefined
  LEGACY_VERIFIER_SECONDS: number
}

/** The configured verifier; undefined without one. */
export function createConfiguredVerifier(config: VerifierConfig): LegacyVerifier | undefined {
  const { LEGACY_VERIFIER_URL: url, LEGACY_VERIFIER_SECRET: secret } = config
  if (url === undefined || secret === undefined) return undefined
  return createLegacyVerifier({ url, secret, timeoutSeconds: config.LEGACY_VERIFIER_SECONDS })
}

const signatureOf = (secret: Uint8Array, timestamp: string, body: string) =>
  createHmac('sha256', secret).update(`${timestamp}.${body}`).digest('hex')

/** @throws Error for a longer body */
async function readShort({ body }: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of body ?? []) {
    length += chunk.length
    if (length > longestResponse) throw new Error(`the verifier answered more than ${longestResponse} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
