import { describe, expect, test } from 'vitest'
import { problem } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness } from '../../test/support/gateway/gateway-harness.ts'
import { hasPassed, viaName } from './via.ts'

const viaOf = (harness: Awaited<ReturnType<typeof createGatewayHarness>>) =>
  harness.last().headers.get('via') ?? ''

describe('508 loop_detected', () => {
  test('a request that this gateway has passed on before, alone or with other proxies on its way', async () => {
    const harness = await createGatewayHarness()
    await harness.call('/open')
    const own = viaOf(harness)
    for (const via of [own, `1.0 cache, ${own} (comment)`, `${own}, HTTP/1.1 proxy.example:80`]) {
      const refused = await harness.call('/open', { headers: { via } })
      expect(refused.status).toBe(508)
      expect(await problem(refused)).toMatchObject({ status: 508, code: 'loop_detected' })
    }
    expect(harness.forwarded).toHaveLength(1)
  })

  test('before anything is counted', async () => {
    const harness = await createGatewayHarness({ environment: { LIMIT_ADDRESS_REQUESTS: '2' } })
    await harness.call('/open')
    const headers = { via: viaOf(harness) }
    for (let i = 0; i < 5; i++) expect((await harness.call('/open', { headers })).status).toBe(508)
    expect((await harness.call('/open')).status).toBe(200)
  })
})

describe('200', () => {
  test('a request through another deployment, which appends its name; 508 when it comes back to the first', async () => {
    const [edge, inner] = [await createGatewayHarness(), await createGatewayHarness()]
    await edge.call('/open')
    const via = viaOf(edge)
    expect((await inner.call('/open', { headers: { via } })).status).toBe(200)
    expect(viaOf(inner)).toMatch(new RegExp(`^${via}, 1\\.1 gatehouse-[0-9a-f]{12}$`))
    expect((await edge.call('/open', { headers: { via: viaOf(inner) } })).status).toBe(508)
  })

  test('a request whose Via names no gateway of this deployment', async () => {
    const harness = await createGatewayHarness()
    for (const via of ['1.1 gatehouse', '1.1 vegur', 'gatehouse', '1.1', ','])
      expect((await harness.call('/open', { headers: { via } })).status).toBe(200)
  })
})

describe('the name in Via', () => {
  test('is that of the deployment: its replicas share it, another issuer or key has another', async () => {
    const { config, last, call } = await createGatewayHarness()
    await call('/open')
    const name = await viaName(config)
    expect(last().headers.get('via')).toBe(`1.1 ${name}`)
    expect(await viaName({ ...config })).toBe(name)
    expect(await viaName({ ...config, ISSUER_URL: 'https://other.example' })).not.toBe(name)
    const { config: other } = await createGatewayHarness()
    expect(await viaName({ ...config, ASSERTION_PRIVATE_JWK: other.ASSERTION_PRIVATE_JWK })).not.toBe(name)
  })

  test('counts as the name of a proxy alone, not in a comment or inside another', () => {
    const name = 'gatehouse-0123456789ab'
    for (const via of [`1.1 a (${name})`, `1.1 x${name}`, `1.1 ${name}0`])
      expect(hasPassed(via, name)).toBe(false)
  })
})
