import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createAssertionSigner } from '../../gateway/tokens/assertion-signer.ts'
import { createIdentityInterner } from '../../gateway/tokens/identity-interner.ts'
import { assertionKeysPath } from '../../shared/auth/assertion-keys.ts'
import { identitySchema } from '../../shared/auth/claims.ts'
import { generateKey, importWebSigner } from '../../shared/auth/jwk.ts'
import { createIssuer } from '../../test/support/gateway/issuer.ts'

const here = (file: string) => fileURLToPath(new URL(file, import.meta.url))

interface Verifier {
  name: string
  command: string
  args: string[]
  /** Exits with 0 where the toolchain is installed. */
  probe: string[]
}

const verifiers: Verifier[] = [
  { name: 'Node', command: process.execPath, args: [here('verify.mjs')], probe: ['--version'] },
  { name: 'Python', command: 'python3', args: [here('verify.py')], probe: ['-c', 'import cryptography'] },
  { name: 'Go', command: 'go', args: ['run', here('verify.go')], probe: ['version'] },
  { name: 'Java', command: 'java', args: [here('Verify.java')], probe: ['--version'] },
]

const isInstalled = ({ command, probe }: Verifier) => spawnSync(command, probe).status === 0

let server: Server
let url: string
let folder: string
let assertions: Record<string, string>

beforeAll(async () => {
  const [known, unknown] = [await generateKey(), await generateKey()]
  server = createServer((_, response) => {
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ keys: [known.publicJwk] }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}${assertionKeysPath}`
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-verifiers-'))

  const { claims } = await createIssuer()
  const user = identitySchema.parse(claims({ email: 'ünïcode"@example.com' }))
  const caller = () => ({ ...createIdentityInterner()(user), assertion: undefined })
  async function sign(who: ReturnType<typeof caller> | null, audience: string, ago = 0, key = known) {
    const signer = await importWebSigner(key.privateJwk)
    return createAssertionSigner({ signer, now: () => Date.now() - ago * 1000 })(who, audience)
  }
  const good = await sign(caller(), 'orders')
  const [head = '', payload = '', signature = ''] = good.split('.')
  const none = Buffer.from(JSON.stringify({ alg: 'none', typ: 'gatehouse-assertion+jwt' })).toString(
    'base64url',
  )
  const changed = Buffer.from(payload, 'base64url').toString().replace('"level":10', '"level":99')
  assertions = {
    good,
    anonymous: await sign(null, 'orders'),
    expired: await sign(caller(), 'orders', 400),
    'of the future': await sign(caller(), 'orders', -3600),
    'for another service': await sign(caller(), 'billing'),
    'of an unknown key': await sign(caller(), 'orders', 0, unknown),
    'with alg none': `${none}.${payload}.`,
    'with a changed claim': `${head}.${Buffer.from(changed).toString('base64url')}.${signature}`,
    'that is no JWT': 'x',
  }
})
afterAll(async () => {
  server.close()
  await rm(folder, { recursive: true })
})

/** Answers of the verifier, by the names of the assertions. */
async function run({ command, args }: Verifier): Promise<Record<string, string>> {
  const child = spawn(command, [...args, url, 'orders'], { cwd: folder })
  child.stdin.end(Object.values(assertions).join('\n'))
  const [out, complaints, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'exit'),
  ])
  expect({ code, complaints }).toEqual({ code: 0, complaints: '' })
  const lines = out.trim().split('\n')
  return Object.fromEntries(Object.keys(assertions).map((name, index) => [name, lines[index] ?? '']))
}

for (const verifier of verifiers) {
  // A machine need not have every toolchain: the report names the suites that were skipped.
  describe.skipIf(!isInstalled(verifier))(`the verifier in ${verifier.name}`, { timeout: 120_000 }, () => {
    test('names the user of an assertion, and rejects what the gateway did not sign for this service', async () => {
      const { good = '', anonymous, ...rejected } = await run(verifier)
      expect(JSON.parse(good)).toMatchObject({ email: 'ünïcode"@example.com', plan: 'free', level: 10 })
      expect(anonymous).toBe('null')
      expect(Object.keys(rejected)).toHaveLength(7)
      for (const [name, answer] of Object.entries(rejected))
        expect({ name, answer }).toEqual({ name, answer: expect.stringMatching(/^rejected: /) })
    })
  })
}
