import { describe, expect, test } from 'vitest'
import { login, logout, lostRefresh, operation, refresh, rejectedRefresh, violated } from './small-history.ts'

const changePassword = (from: number, to: number, session: string, status?: number) =>
  operation(from, to, {
    kind: 'change_password',
    session,
    password: 'first',
    newPassword: 'second',
    ...(status !== undefined && { status }),
  })

const logoutEverywhere = (from: number, to: number, session: string) =>
  operation(from, to, { kind: 'logout_everywhere', session, status: 204 })

describe('a session that has ended (I1)', () => {
  test('a refresh after an acknowledged logout is a violation', () => {
    expect(violated([login(1, 2, 's'), logout(3, 4, 's'), refresh(5, 6, 's', 's-0', 's-1')])).toEqual([
      'I1 at 5',
    ])
  })

  test('one that overlaps with the logout is no violation', () => {
    expect(violated([login(1, 2, 's'), logout(3, 6, 's'), refresh(5, 7, 's', 's-0', 's-1')])).toEqual([])
  })

  test('one after a logout without a response is no violation', () => {
    expect(violated([login(1, 2, 's'), logout(3, 4, 's', 503), refresh(5, 7, 's', 's-0', 's-1')])).toEqual([])
  })

  test('a password change ends the other sessions, and a logout everywhere all', () => {
    const both = [login(1, 2, 's'), login(3, 4, 't')]
    const own = refresh(7, 8, 't', 't-0', 't-1')
    const other = refresh(9, 10, 's', 's-0', 's-1')
    expect(violated([...both, changePassword(5, 6, 't', 204), own, other])).toEqual(['I1 at 9'])
    expect(violated([...both, logoutEverywhere(5, 6, 't'), own, other])).toEqual(['I1 at 9', 'I1 at 7'])
  })

  test('a logout everywhere may come too late to end others, where its own session may have ended', () => {
    const operations = [
      login(1, 2, 's'),
      login(3, 4, 't'),
      logout(5, 6, 't', 503),
      logoutEverywhere(7, 8, 't'),
    ]
    expect(violated([...operations, refresh(9, 10, 's', 's-0', 's-1')])).toEqual([])
  })

  test('a session that was rejected as ended does not come back', () => {
    const ended = [login(1, 2, 's'), logout(3, 4, 's', 503), rejectedRefresh(5, 6, 's', 's-0')]
    expect(violated([...ended, refresh(7, 8, 's', 's-0', 's-1')])).toEqual(['I1 at 7'])
  })
})

describe('no false logout (I5)', () => {
  test('a 401 without a reason is a violation, once', () => {
    const rejected = [rejectedRefresh(3, 4, 's', 's-0'), rejectedRefresh(5, 6, 's', 's-0')]
    expect(violated([login(1, 2, 's'), ...rejected])).toEqual(['I5 at 3'])
  })

  test('a logout that was never answered explains it', () => {
    expect(violated([login(1, 2, 's'), logout(3, 4, 's', 503), rejectedRefresh(5, 6, 's', 's-0')])).toEqual(
      [],
    )
  })

  test('a logout everywhere before the login, or before a refresh that succeeded, explains nothing', () => {
    const early = [login(1, 2, 's'), logoutEverywhere(3, 4, 's'), login(5, 6, 't')]
    expect(violated([...early, rejectedRefresh(7, 8, 't', 't-0')])).toEqual(['I5 at 7'])
    const lost = [login(1, 2, 's'), logout(3, 4, 's', 503), refresh(10, 11, 's', 's-0', 's-1')]
    expect(violated([...lost, rejectedRefresh(12, 13, 's', 's-1')])).toEqual(['I5 at 12'])
  })

  test('a password change without a response may come after the login that followed it', () => {
    const operations = [login(1, 2, 's'), changePassword(3, 4, 's'), login(5, 6, 't')]
    expect(violated([...operations, rejectedRefresh(7, 8, 't', 't-0')])).toEqual([])
  })

  test('a password change of the session itself does not explain its end', () => {
    const operations = [login(1, 2, 's'), changePassword(3, 4, 's'), rejectedRefresh(5, 6, 's', 's-0')]
    expect(violated(operations)).toEqual(['I5 at 5'])
  })

  test('another 401 than that of an ended session is a violation, also after the end', () => {
    const rejected = operation(5, 6, { kind: 'me', session: 's', status: 401, code: 'invalid_token' })
    expect(violated([login(1, 2, 's'), logout(3, 4, 's'), rejected])).toEqual(['I5 at 5'])
  })
})

describe('reuse of a refresh token', () => {
  const reused = (from: number, token: string) =>
    rejectedRefresh(from, from + 1, 's', token, 'refresh_reused')

  test('a late retry whose successor was never used is no reuse: 401 is a violation', () => {
    expect(violated([login(1, 2, 's'), lostRefresh(3, 4, 's', 's-0'), reused(20, 's-0')])).toEqual([
      'I5 at 20',
    ])
  })

  test('a retry in the grace window is no reuse, also where the first one took long', () => {
    expect(violated([login(1, 2, 's'), lostRefresh(3, 12, 's', 's-0'), reused(11, 's-0')])).toEqual([
      'I5 at 11',
    ])
  })

  test('a token whose successor was used is reused after the grace window', () => {
    const used = [refresh(3, 4, 's', 's-0', 's-1'), refresh(5, 6, 's', 's-1', 's-2')]
    expect(violated([login(1, 2, 's'), ...used, reused(20, 's-0')])).toEqual([])
    expect(violated([login(1, 2, 's'), ...used, reused(8, 's-0')])).toEqual(['I5 at 8'])
  })

  test('a request of a paused process that arrives late explains the end, until a refresh succeeds', () => {
    const faults = [
      {
        name: 'paused',
        part: 'origins' as const,
        beganAt: 3000,
        endedAt: 18_000,
        cutsFeed: [],
        cutsStream: [],
      },
    ]
    const operations = [
      login(1, 2, 's'),
      lostRefresh(3, 4, 's', 's-0'),
      refresh(5, 6, 's', 's-0', 's-1'),
      refresh(7, 8, 's', 's-1', 's-2'),
    ]
    expect(violated([...operations, rejectedRefresh(20, 21, 's', 's-2')], { faults })).toEqual([])
    expect(violated([...operations, rejectedRefresh(20, 21, 's', 's-2')])).toEqual(['I5 at 20'])
    expect(violated([...operations, rejectedRefresh(9, 10, 's', 's-2')], { faults })).toEqual(['I5 at 9'])
    const later = [refresh(70, 71, 's', 's-2', 's-3'), rejectedRefresh(72, 73, 's', 's-3')]
    expect(violated([...operations, ...later], { faults })).toEqual(['I5 at 72'])
  })

  test('the third late retry of a session is one too many', () => {
    const late = [0, 1].flatMap((n) => [
      lostRefresh(10 + 40 * n, 11 + 40 * n, 's', `s-${n}`),
      refresh(30 + 40 * n, 31 + 40 * n, 's', `s-${n}`, `s-${n + 1}`),
    ])
    const third = [lostRefresh(90, 91, 's', 's-2'), reused(110, 's-2')]
    expect(violated([login(1, 2, 's'), ...late, ...third])).toEqual([])
    expect(violated([login(1, 2, 's'), ...late.slice(0, 2), ...third])).toEqual(['I5 at 110'])
  })
})

describe('one successor (I2)', () => {
  test('two successors of one token are a violation', () => {
    const twice = [refresh(3, 5, 's', 's-0', 's-1'), refresh(4, 6, 's', 's-0', 's-x')]
    expect(violated([login(1, 2, 's'), ...twice])).toEqual(['I2 at 4'])
  })

  test('the same successor twice is no violation', () => {
    const twice = [refresh(3, 5, 's', 's-0', 's-1'), refresh(4, 6, 's', 's-0', 's-1')]
    expect(violated([login(1, 2, 's'), ...twice])).toEqual([])
  })
})
