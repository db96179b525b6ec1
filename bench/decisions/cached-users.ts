import { hash, randomBytes } from 'node:crypto'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createAssertionSigner } from '../../gateway/tokens/assertion-signer.ts'
import { createTokenVerifier } from '../../gateway/tokens/token-verifier.ts'
import type { VerifiedToken } from '../../gateway/tokens/verified-token.ts'
import { accessTokenType, algorithm } from '../../shared/auth/claims.ts'
import { generateKey } from '../../shared/auth/jwk.ts'
import { importNodeSigner } from '../../shared/node/keys.ts'
import { issuerUrl, user } from '../gateway/environment/tokens.ts'

/** Bytes of V8's heap that the gateway keeps for a user whose token it has verified. */

const users = 100_000
const audience = 'gatehouse'

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')

/** Of the right form; the verifier below takes any signature. */
function tokenOf(number: number): string {
  const iat = Math.floor(Date.now() / 1000)
  const header = encode({ alg: algorithm, kid: publicJwk.kid, typ: accessTokenType })
  const payload = encode({ ...user(number), aud: audience, client_id: audience, iat })
  return `${header}.${payload}.${randomBytes(64).toString('base64url')}`
}

const { publicJwk, privateJwk } = await generateKey()
const tokens = createTokenVerifier({
  keys: { find: () => () => true },
  issuer: issuerUrl,
  audience,
  recheckSeconds: 86_400,
  now: Date.now,
  digest: (text) => hash('sha256', text, 'latin1'),
})
const assertionFor = createAssertionSigner({ signer: await importNodeSigner(privateJwk), now: Date.now })

const callers: VerifiedToken[] = []

function heapBytes(): number {
  collectGarbage()
  return process.memoryUsage().heapUsed
}

/** Prints what a step adds to the heap for each user. */
async function printGrowth(name: string, step: () => Promise<void>): Promise<void> {
  const before = heapBytes()
  await step()
  const bytes = (heapBytes() - before) / users
  process.stdout.write(`${name.padEnd(44)} ${Math.round(bytes)} bytes\n`)
}

async function signFor(upstream: string): Promise<void> {
  for (const caller of callers) await assertionFor(caller, upstream)
}

// Compiles the code, and leaves the list with room for all: its memory is not the gateway's.
callers.push(await tokens.verify(tokenOf(users), '192.0.2.0'))
await signFor('origin')
callers.length = users
callers.fill(callers[0] as VerifiedToken)

await printGrowth('a verified token', async () => {
  for (let number = 0; number < users; number++)
    callers[number] = await tokens.verify(tokenOf(number), `192.0.2.${number % 256}`)
})
await printGrowth('its assertion for an upstream', () => signFor('origin'))
await printGrowth('its assertion for a second upstream', () => signFor('reports'))
