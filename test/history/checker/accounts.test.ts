import { describe, expect, test } from 'vitest'
import { login, operation, violated, wrongLogin } from './small-history.ts'

const register = (from: number, to: number, status?: number) =>
  operation(from, to, { kind: 'register', password: 'first', ...(status !== undefined && { status }) })

const loginWith = (from: number, to: number, password: string) =>
  operation(from, to, { kind: 'login', password, status: 200 })

const change = (from: number, to: number, given: { status?: number; code?: string } = {}) =>
  operation(from, to, {
    kind: 'change_password',
    session: 's',
    password: 'first',
    newPassword: 'second',
    ...given,
  })

describe('an acknowledged registration or password (I1)', () => {
  test('a registration that is gone is a violation', () => {
    expect(violated([register(1, 2, 202), wrongLogin(3, 4, 'first')])).toEqual(['I1 at 3'])
  })

  test('one without a response may be gone, or be there', () => {
    expect(violated([register(1, 2), wrongLogin(3, 4, 'first')])).toEqual([])
    expect(violated([register(1, 2, 503), loginWith(3, 4, 'first')])).toEqual([])
  })

  test('one without a response may happen later, once', () => {
    expect(violated([register(1, 2), wrongLogin(3, 4, 'first'), loginWith(5, 6, 'first')])).toEqual([])
    const gone = [register(1, 2), loginWith(3, 4, 'first'), wrongLogin(5, 6, 'first')]
    expect(violated(gone)).toEqual(['I1 at 5'])
  })

  test('a login with the old password after an acknowledged change is a violation', () => {
    expect(violated([register(1, 2, 202), change(3, 4, { status: 204 }), loginWith(5, 6, 'first')])).toEqual([
      'I1 at 5',
    ])
    expect(
      violated([register(1, 2, 202), change(3, 4, { status: 204 }), wrongLogin(5, 6, 'second')]),
    ).toEqual(['I1 at 5'])
  })

  test('after a change without a response either password holds, and the change may come later', () => {
    const open = [register(1, 2, 202), change(3, 4)]
    expect(violated([...open, loginWith(5, 6, 'first'), loginWith(7, 8, 'second')])).toEqual([])
    expect(violated([...open, loginWith(5, 6, 'second'), loginWith(7, 8, 'first')])).toEqual(['I1 at 7'])
    expect(violated([...open, wrongLogin(5, 6, 'first'), wrongLogin(7, 8, 'second')])).toEqual(['I1 at 7'])
  })

  test('a rejected change with the current password is a violation', () => {
    const refused = change(3, 4, { status: 403, code: 'password_wrong' })
    expect(violated([register(1, 2, 202), refused])).toEqual(['I1 at 3'])
  })
})

describe('a lockout (I1)', () => {
  const failures = (count: number) => Array.from({ length: count }, (_, n) => wrongLogin(3 + n, 3.5 + n))

  test('a login in spite of five acknowledged failures is a violation', () => {
    expect(violated([login(1, 2, 's'), ...failures(5), loginWith(10, 11, 'first')])).toEqual(['I1 at 10'])
  })

  test('one after four failures, or after the lockout, is no violation', () => {
    expect(violated([login(1, 2, 's'), ...failures(4), loginWith(10, 11, 'first')])).toEqual([])
    expect(violated([login(1, 2, 's'), ...failures(5), loginWith(26, 28, 'first')])).toEqual([])
  })

  test('a failure without a response may or may not count', () => {
    const lost = operation(9, 9.5, { kind: 'login', password: 'wrong' })
    const four = [login(1, 2, 's'), ...failures(4), lost]
    expect(violated([...four, loginWith(10, 11, 'first')])).toEqual([])
    expect(violated([...four, wrongLogin(10, 11, 'first')])).toEqual([])
  })

  test('the right password is rejected only where enough attempts failed', () => {
    expect(violated([login(1, 2, 's'), ...failures(5), wrongLogin(10, 11, 'first')])).toEqual([])
    expect(violated([login(1, 2, 's'), ...failures(4), wrongLogin(10, 11, 'first')])).toEqual(['I1 at 10'])
  })
})
