import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TokenResponse } from '../../shared/contract.ts'
import { bearer, createWorld, problem, type World } from '../support/full-stack/full-stack.ts'

let world: World
beforeAll(async () => {
  world = await createWorld()
})
afterAll(() => world.close())

describe('a frontend, through the gateway', () => {
  test('registers, logs in, reads its profile, refreshes, logs out, and is refused the spent token', async () => {
    const { tokens } = await world.signUp('ada@example.com')

    const me = await world.call('/v1/me', { headers: bearer(tokens.access_token) })
    expect(me.status).toBe(200)
    expect(await me.json()).toMatchObject({ email: 'ada@example.com', role: 'user', plan: 'free' })

    const refreshed = await world.post('/auth/refresh', { refresh_token: tokens.refresh_token })
    expect(refreshed.status).toBe(200)
    const next = (await refreshed.json()) as TokenResponse
    expect(next.refresh_token).not.toBe(tokens.refresh_token)

    const again = await world.call('/v1/me', { headers: bearer(next.access_token) })
    expect(again.status).toBe(200)

    const loggedOut = await world.post('/auth/logout', { refresh_token: next.refresh_token })
    expect(loggedOut.status).toBe(204)

    const refused = await world.post('/auth/refresh', { refresh_token: next.refresh_token })
    expect(refused.status).toBe(401)
    expect((await problem(refused)).code).toBe('refresh_invalid')
  })
})
