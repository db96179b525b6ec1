import { decodeProtectedHeader } from 'jose'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createAssertionSigner } from '../../gateway/tokens/assertion-signer.ts'
import { createEncryption } from '../../origin/keys/encryption.ts'
import { selectKeys } from '../../origin/keys/queries.ts'
import { decryptKey } from '../../origin/keys/stored-key.ts'
import { gatewayAudience } from '../../shared/auth/assertion.ts'
import { assertionKeysPath } from '../../shared/auth/assertion-keys.ts'
import { importWebSigner } from '../../shared/auth/jwk.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { createFullStack, type FullStack, problem } from '../support/full-stack/full-stack.ts'
import { highLimits } from '../support/high-limits.ts'

let before: FullStack
let fullStack: FullStack
beforeAll(async () => {
  before = await createFullStack({ environment: { ...highLimits, ASSERTION_KEYS: 'origin' } })
  await before.sql`update assertion_keys set created_at = created_at - interval '1 hour'`
  fullStack = await createFullStack({
    environment: { ...highLimits, ASSERTION_KEYS: 'origin' },
    remains: before.remains,
  })
})
afterAll(async () => {
  await fullStack.close()
  await before.close()
})

const kidOfLast = ({ forwarded }: FullStack) =>
  decodeProtectedHeader(forwarded.at(-1)?.headers.get(assertionHeader) ?? '').kid

const kidsOfDocument = async () => {
  const response = await fullStack.call(assertionKeysPath)
  expect(response.status).toBe(200)
  expect(response.headers.get('cache-control')).toBe('public, max-age=60')
  return ((await response.json()) as { keys: { kid: string }[] }).keys.map(({ kid }) => kid)
}

test('200: the origin takes assertions of its own key, by the document that anybody may read', async () => {
  const [rotated, own] = await kidsOfDocument()
  expect(own).toBe(fullStack.gatewayConfig.ASSERTION_PRIVATE_JWK.kid)
  expect((await fullStack.call('/v1/plans')).status).toBe(200)
  expect(kidOfLast(fullStack)).toBe(rotated)
  expect(rotated).not.toBe(own)
})

test('200: a gateway signs with its own key until services know the first one', async () => {
  expect((await before.call('/v1/plans')).status).toBe(200)
  expect(kidOfLast(before)).toBe(before.gatewayConfig.ASSERTION_PRIVATE_JWK.kid)
})

test('401 untrusted_caller: the rotated key opens none of the calls that gateways make themselves', async () => {
  const encryption = createEncryption(fullStack.originConfig.KEY_ENCRYPTION_KEY)
  const [key] = await selectKeys(fullStack.sql, 'assertion_keys')
  if (!key) throw new Error('there is no key')
  const signer = await importWebSigner(decryptKey(encryption, key))
  const assertionFor = createAssertionSigner({ signer, now: Date.now })
  const ask = async (path: string, audience: string) =>
    fullStack.originFetch(path, { headers: { [assertionHeader]: await assertionFor(null, audience) } })
  expect((await ask('/v1/plans', 'origin')).status).toBe(200)
  const refused = await ask('/internal/gateway/plans', gatewayAudience)
  expect(await problem(refused)).toMatchObject({ status: 401, code: 'untrusted_caller' })
})
