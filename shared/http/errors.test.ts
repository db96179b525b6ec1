import { describe, expect, test } from 'vitest'
import { type ErrorCode, errors, Problem, problemResponse } from './errors.ts'

const codes = Object.keys(errors) as ErrorCode[]
const requestId = 'request-0001'

describe('problemResponse', () => {
  test.each(codes)('%s: problem+json, status equal to the HTTP status, never cached', async (code) => {
    const answer = problemResponse(new Problem(code), requestId)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(answer.headers.get('cache-control')).toBe('no-store')
    const body = (await answer.json()) as Record<string, unknown>
    expect(body).toMatchObject({
      status: answer.status,
      code,
      title: errors[code].title,
      request_id: requestId,
    })
    expect(() => new URL(String(body.type))).not.toThrow()
  })

  test('502, 503 and 504 have Retry-After', () => {
    for (const code of codes) {
      const { status, headers } = problemResponse(new Problem(code), requestId)
      const waitSeconds = Number(headers.get('retry-after'))
      expect({ code, waits: waitSeconds > 0 }).toEqual({ code, waits: [502, 503, 504].includes(status) })
    }
  })

  test('members of a code are added to the standard ones, headers to the others', async () => {
    const problem = new Problem('level_required', {
      members: { required_level: 90 },
      headers: { 'x-a': 'b' },
    })
    const answer = problemResponse(problem, requestId)
    expect(await answer.json()).toMatchObject({ code: 'level_required', required_level: 90 })
    expect(answer.headers.get('x-a')).toBe('b')
    expect(answer.headers.get('www-authenticate')).toBe('Bearer error="insufficient_scope"')
  })

  test('the Retry-After of a problem wins over that of its code', () => {
    const problem = new Problem('upstream_timeout', { headers: { 'retry-after': '30' } })
    expect(problemResponse(problem, requestId).headers.get('retry-after')).toBe('30')
  })

  test('the cause is in no response', async () => {
    const problem = new Problem('internal_error', { cause: new Error('select * from users at /app/x.ts') })
    const answer = problemResponse(problem, requestId)
    expect(await answer.text()).not.toMatch(/select|\/app/)
    expect(problem.cause).toBeInstanceOf(Error)
  })
})

test('each 401 and 403 of a token has its challenge (RFC 6750, section 3); a login has none', () => {
  const challenge = (code: ErrorCode) =>
    problemResponse(new Problem(code), requestId).headers.get('www-authenticate')
  expect(challenge('token_missing')).toBe('Bearer')
  expect(challenge('invalid_token')).toBe('Bearer error="invalid_token"')
  for (const code of ['permission_required', 'level_required', 'feature_required'] as const)
    expect(challenge(code)).toBe('Bearer error="insufficient_scope"')
  expect(challenge('invalid_credentials')).toBeNull()
})
