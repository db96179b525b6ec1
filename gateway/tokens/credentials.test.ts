import { describe, expect, test } from 'vitest'
import { bearer, createFullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { createGatewayHarness } from '../../test/support/gateway/gateway-harness.ts'

const harness = await createGatewayHarness()

async function refusal(answer: Response) {
  return {
    status: answer.status,
    code: (await problem(answer)).code,
    challenge: answer.headers.get('www-authenticate'),
  }
}

describe('challenges (RFC 6750, section 3)', () => {
  test('401 token_missing: no credentials, a bare Bearer challenge', async () => {
    expect(await refusal(await harness.call('/closed'))).toEqual({
      status: 401,
      code: 'token_missing',
      challenge: 'Bearer',
    })
  })

  test('401 invalid_token: a token that is not good', async () => {
    expect(await refusal(await harness.call('/closed', { headers: bearer('x.y.z') }))).toEqual({
      status: 401,
      code: 'invalid_token',
      challenge: 'Bearer error="invalid_token"',
    })
  })

  test('401 invalid_token: another scheme, or a Bearer without a token', async () => {
    const token = await harness.issuer.sign()
    for (const authorization of [
      'Basic YTpi',
      'Bearer',
      'Bearer ',
      `Token ${token}`,
      token,
      `Bearer${token}`,
      `Bearer ${token} x`,
    ]) {
      const { status, code } = await refusal(await harness.call('/closed', { headers: { authorization } }))
      expect({ authorization, status, code }).toEqual({ authorization, status: 401, code: 'invalid_token' })
    }
  })

  // Two headers: one for the gateway to check and one for the upstream to believe.
  test('401 invalid_token: two Authorization headers, even with the same good token', async () => {
    const token = await harness.issuer.sign()
    for (const second of [token, 'x.y.z']) {
      const headers = new Headers(bearer(token))
      headers.append('authorization', `Bearer ${second}`)
      expect((await refusal(await harness.call('/closed', { headers }))).code).toBe('invalid_token')
    }
  })

  test('401 token_missing: a token in the query or a form is not looked at (section 2.2 and 2.3)', async () => {
    const token = await harness.issuer.sign()
    expect((await refusal(await harness.call(`/closed?access_token=${token}`))).code).toBe('token_missing')
  })

  test('200: the scheme in any case (RFC 9110, section 11.1)', async () => {
    const token = await harness.issuer.sign()
    for (const scheme of ['bearer', 'BEARER', 'bEaReR']) {
      const answer = await harness.call('/closed', { headers: { authorization: `${scheme} ${token}` } })
      expect(answer.status).toBe(200)
    }
  })

  test('200: a public path does not look at credentials, good or bad', async () => {
    expect((await harness.call('/open', { headers: bearer('x.y.z') })).status).toBe(200)
  })
})

test('401 invalid_token: a refresh token as bearer, and the assertion of an upstream', async () => {
  const fullStack = await createFullStack()
  try {
    const { tokens } = await fullStack.signUp('ada@example.com')
    const me = await fullStack.call('/v1/me', { headers: bearer(tokens.access_token) })
    expect(me.status).toBe(200)
    const assertion = fullStack.forwarded.at(-1)?.headers.get('gatehouse-assertion') ?? ''
    for (const token of [tokens.refresh_token, assertion]) {
      const answer = await fullStack.call('/v1/me', { headers: bearer(token) })
      expect((await refusal(answer)).code).toBe('invalid_token')
    }
  } finally {
    await fullStack.close()
  }
})
