import { describe, expect, test } from 'vitest'
import { evaluateFailure } from './rules.ts'

const young = { attempts: 1, ageSeconds: 1, kind: 'outage' } as const
const daysSeconds = (days: number) => days * 86_400

describe('a failed mail', () => {
  test('waits 5 seconds, then twice as long each time, and never longer than 15 minutes', () => {
    const waits = [1, 2, 3, 4, 8, 9, 500].map((attempts) => evaluateFailure({ ...young, attempts }))
    expect(waits).toEqual(
      [5, 10, 20, 40, 640, 900, 900].map((waitSeconds) => ({ kind: 'retry', waitSeconds })),
    )
  })

  test('is tried for five days', () => {
    expect(evaluateFailure({ ...young, attempts: 500, ageSeconds: daysSeconds(5) - 1 }).kind).toBe('retry')
    expect(evaluateFailure({ ...young, attempts: 500, ageSeconds: daysSeconds(5) }).kind).toBe('give_up')
  })
})

describe('a rejected mail', () => {
  test('is given up at its first attempt', () => {
    expect(evaluateFailure({ ...young, kind: 'rejected' })).toEqual({ kind: 'give_up' })
  })
})
