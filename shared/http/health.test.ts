import { describe, expect, test } from 'vitest'
import { check, healthResponse } from './health.ts'

const pass = { status: 'pass' } as const
const warn = { status: 'warn' } as const
const fail = { status: 'fail' } as const

describe('healthResponse', () => {
  test('is as bad as the worst check; only fail is 503', async () => {
    for (const [checks, status, code] of [
      [{}, 'pass', 200],
      [{ a: pass, b: pass }, 'pass', 200],
      [{ a: pass, b: warn }, 'warn', 200],
      [{ a: fail, b: warn, c: pass }, 'fail', 503],
    ] as const) {
      const answer = healthResponse(checks)
      expect(answer.status).toBe(code)
      expect(await answer.json()).toMatchObject({ status, checks })
    }
  })
})

describe('check', () => {
  test('pass: the check responded, with its milliseconds', async () => {
    expect(await check(async () => 'x')).toEqual({ status: 'pass', time_ms: expect.any(Number) })
  })

  test('fail: the check never responds', async () => {
    expect(await check(() => new Promise(() => {}), 20)).toMatchObject({ status: 'fail' })
  })

  test('fail: with the code of the error, never with its text, which may name hosts and users', async () => {
    const error = Object.assign(new Error('password authentication failed for user "root"'), {
      code: '28P01',
    })
    const failed = await check(() => Promise.reject(error))
    expect(failed).toMatchObject({ status: 'fail', detail: '28P01' })
    expect(JSON.stringify(failed)).not.toContain('root')
    expect(await check(() => Promise.reject(new Error('secret host')))).toMatchObject({
      detail: 'unavailable',
    })
    expect(await check(() => Promise.reject('not even an error'))).toMatchObject({ status: 'fail' })
  })
})
