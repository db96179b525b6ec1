import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { bearer, createFullStack, type FullStack, problem } from '../support/full-stack/full-stack.ts'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack()
})
afterAll(() => fullStack.close())

describe('a frontend, through the gateway', () => {
  test('registers, logs in, reads its profile, refreshes, logs out, and is rejected the spent token', async () => {
    const { tokens } = await fullStack.signUp('ada@example.com')

    const me = await fullStack.call('/v1/me', { headers: bearer(tokens.access_token) })
    expect(me.status).toBe(200)
    expect(await me.json()).toMatchObject({ email: 'ada@example.com', role: 'user', plan: 'free' })

    const refreshed = await fullStack.post('/auth/refresh', { refresh_token: tokens.refresh_token })
    expect(refreshed.status).toBe(200)
    const next = (await refreshed.json()) as TokenResponse
    expect(next.refresh_token).not.toBe(tokens.refresh_token)

    const again = await fullStack.call('/v1/me', { headers: bearer(next.access_token) })
    expect(again.status).toBe(200)

    const loggedOut = await fullStack.post('/auth/logout', { refresh_token: next.refresh_token })
    expect(loggedOut.status).toBe(204)

    const refused = await fullStack.post('/auth/refresh', { refresh_token: next.refresh_token })
    expect(refused.status).toBe(401)
    expect((await problem(refused)).code).toBe('refresh_invalid')
  })
})
