import { decodeJwt } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { DenialReport } from '../../shared/contract.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { bearer, createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { assertionFrom, postReport } from '../../test/support/full-stack/origin-call.ts'
import { highLimits } from '../../test/support/high-limits.ts'

let fullStack: FullStack
let token: string
let ada: { sub: string; sid: string }
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
  token = (await fullStack.signUp('ada@example.com')).tokens.access_token
  ada = decodeJwt(token)
})
afterAll(() => fullStack.close())
beforeEach(() => fullStack.sql`truncate audit_logs`)

const denial = {
  user_id: '01234567-89ab-4def-8123-456789abcdef',
  session_id: 'fedcba98-7654-4210-8fed-cba987654321',
  code: 'permission_required',
  method: 'GET',
  route: '/admin/users',
  count: 3,
} as const

const post = (body: unknown, headers?: Record<string, string>) =>
  postReport(fullStack, '/internal/gateway/denials', body, headers)

const kept = () => fullStack.sql`
  select action, actor_id, user_id, session_id, details from audit_logs order by details ->> 'route'`

describe('a user who requests what their role does not permit', () => {
  test('leaves an audit row of each thing with how often, and no request waits for it', async () => {
    for (let i = 0; i < 3; i++) await fullStack.call('/admin/users', { headers: bearer(token) })
    await fullStack.call(`/admin/users/${ada.sub}`, { headers: bearer(token) })
    expect(await kept()).toEqual([])
    await fullStack.reportsFlushed()
    const about = { action: 'access.denied', actor_id: ada.sub, user_id: ada.sub, session_id: ada.sid }
    const details = { code: 'permission_required', method: 'GET' }
    expect(await kept()).toEqual([
      { ...about, details: { ...details, route: '/admin/users', count: 3 } },
      { ...about, details: { ...details, route: '/admin/users/{id}', count: 1 } },
    ])
  })

  test('adds none for a feature that the plan lacks, nor without a valid token', async () => {
    expect((await fullStack.call('/v1/reports', { headers: bearer(token) })).status).toBe(403)
    expect((await fullStack.call('/admin/users')).status).toBe(401)
    expect((await fullStack.call('/admin/users', { headers: bearer('none') })).status).toBe(401)
    await fullStack.reportsFlushed()
    expect(await kept()).toEqual([])
  })
})

describe('POST /internal/gateway/denials', () => {
  test('204: a batch of a thousand of the longest is kept whole', async () => {
    const denials = Array.from({ length: 1000 }, () => ({
      ...denial,
      method: 'M'.repeat(20),
      route: `/${'ü'.repeat(199)}`,
      count: 2_147_483_647,
    }))
    expect((await post({ dropped: 0, denials } satisfies DenialReport)).status).toBe(204)
    expect(await kept()).toHaveLength(1000)
  })

  test('204: the number of dropped rows is logged', async () => {
    expect((await post({ dropped: 7, denials: [denial] } satisfies DenialReport)).status).toBe(204)
    expect(fullStack.logs.origin).toContainEqual(
      expect.objectContaining({ level: 'warn', msg: 'the audit log of denials has a gap', dropped: 7 }),
    )
  })

  test('422 validation_failed: more than a thousand, no ids, another reason, and nothing is kept', async () => {
    const bodies = [
      { dropped: 0, denials: Array.from({ length: 1001 }, () => denial) },
      { dropped: 0, denials: [{ ...denial, user_id: 'ada' }] },
      { dropped: 0, denials: [{ ...denial, code: 'bored' }] },
      { dropped: 0, denials: [{ ...denial, route: 'a\0b' }] },
    ]
    for (const body of bodies) {
      const answer = await post(body)
      expect(answer.status).toBe(422)
      expect((await problem(answer)).code).toBe('validation_failed')
    }
    expect(await kept()).toEqual([])
  })

  test('401 untrusted_caller: anybody but a gateway itself', async () => {
    const forwarded = { [assertionHeader]: await assertionFrom(fullStack) }
    for (const headers of [{}, bearer(token), forwarded]) {
      const answer = await post({ dropped: 0, denials: [denial] }, headers)
      expect(answer.status).toBe(401)
      expect((await problem(answer)).code).toBe('untrusted_caller')
    }
    expect(await kept()).toEqual([])
  })
})
