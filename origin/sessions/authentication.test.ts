import { decodeJwt } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { SessionsResponse, TokenResponse } from '../../shared/contract.ts'
import { bearer, createFullStack, type FullStack } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

const aal2Seconds = 600

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: { ...highLimits, MFA_SECONDS: String(aal2Seconds) } })
})
afterAll(() => fullStack.close())

const claimsOf = ({ access_token }: TokenResponse) => {
  const { amr, acr, auth_time, exp = 0, iat = 0 } = decodeJwt(access_token)
  return { amr, acr, auth_time: Number(auth_time), life: exp - iat }
}

async function refresh(token: string): Promise<TokenResponse> {
  const response = await fullStack.post('/auth/refresh', { refresh_token: token })
  expect(response.status).toBe(200)
  return (await response.json()) as TokenResponse
}

/** A signed-in user whose session was authenticated with two factors some time ago. */
async function signedInWithTwoFactors(email: string, secondsAgo: number) {
  const { tokens } = await fullStack.signUp(email)
  await fullStack.sql`
    update sessions set amr = '{pwd,otp,mfa}', acr = 'aal2',
      authenticated_at = now() - make_interval(secs => ${secondsAgo})
    where id = ${String(decodeJwt(tokens.access_token).sid)}`
  return tokens
}

describe('how a session was authenticated', () => {
  test('stays through refreshes and replays', async () => {
    const tokens = await signedInWithTwoFactors('kept@example.com', 60)
    const first = await refresh(tokens.refresh_token)
    const replayed = await refresh(tokens.refresh_token)
    const second = await refresh(first.refresh_token)
    const before = claimsOf(first)
    expect(before).toMatchObject({ amr: ['pwd', 'otp', 'mfa'], acr: 'aal2' })
    expect(Date.now() / 1000 - before.auth_time).toBeGreaterThan(55)
    for (const later of [replayed, second])
      expect(claimsOf(later)).toMatchObject({ ...before, life: expect.any(Number) })
  })

  test('aal2 ends with MFA_SECONDS: a token lives no longer, and the next one says aal1', async () => {
    const ending = await signedInWithTwoFactors('ending@example.com', aal2Seconds - 60)
    const { acr, life } = claimsOf(await refresh(ending.refresh_token))
    expect(acr).toBe('aal2')
    expect(life).toBeLessThanOrEqual(60)
    const ended = await signedInWithTwoFactors('ended@example.com', aal2Seconds + 1)
    expect(claimsOf(await refresh(ended.refresh_token))).toMatchObject({
      amr: ['pwd', 'otp', 'mfa'],
      acr: 'aal1',
      life: 900,
    })
  })

  // Origins of the version before run beside this one during an upgrade.
  test('of an origin of schema 25 is by password, when it began', async () => {
    const { tokens } = await fullStack.signUp('before@example.com')
    const { sid } = decodeJwt(tokens.access_token)
    await fullStack.sql`
      update sessions set amr = default, acr = default, authenticated_at = default,
        created_at = to_timestamp(1800000000)
      where id = ${String(sid)}`
    expect(claimsOf(await refresh(tokens.refresh_token))).toMatchObject({
      amr: ['pwd'],
      acr: 'aal1',
      auth_time: 1_800_000_000,
    })
  })

  test('is shown in the list of sessions', async () => {
    const tokens = await signedInWithTwoFactors('listed@example.com', 60)
    const response = await fullStack.call('/auth/sessions', { headers: bearer(tokens.access_token) })
    const { sessions } = (await response.json()) as SessionsResponse
    const shown = { amr: ['pwd', 'otp', 'mfa'], acr: 'aal2', auth_time: expect.stringMatching(/Z$/) }
    expect(sessions).toEqual([expect.objectContaining({ ...shown, current: true })])
  })
})
