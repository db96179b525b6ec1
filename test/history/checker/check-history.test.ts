import { describe, expect, test } from 'vitest'
import { type Fault, type HistoryEvent, toHistory } from '../history.ts'
import { checkHistory } from './check-history.ts'
import { shortestHistory } from './shortest-history.ts'
import { login, logout, me, operation, refresh, rules, small, violated } from './small-history.ts'

describe('the bound of revocation', () => {
  const ended = [login(1, 2, 's'), logout(3, 4, 's')]
  const fault = { name: 'fault', part: 'gateways' as const, beganAt: 3500, endedAt: 20_000 }

  test('an access token that passes 6 s after the logout is a violation', () => {
    expect(violated([...ended, me(11, 12, 's')])).toEqual(['revocation bound at 11'])
    expect(violated([...ended, me(9, 12, 's')])).toEqual([])
  })

  test('a fault of one source, or of another gateway, excuses nothing', () => {
    const faults = [
      { ...fault, cutsFeed: [0], cutsStream: [1] },
      { ...fault, cutsFeed: [1], cutsStream: [1] },
    ]
    expect(violated([...ended, me(11, 12, 's')], { faults })).toEqual(['revocation bound at 11'])
  })

  test('an origin and the database that fail together may delay the stream, one of them does not', () => {
    const faultOf = (part: Fault['part']) => ({ ...fault, part, cutsFeed: [0], cutsStream: [] })
    const both = [faultOf('origins'), faultOf('postgres')]
    expect(violated([...ended, me(11, 12, 's')], { faults: both })).toEqual([])
    for (const one of both)
      expect(violated([...ended, me(11, 12, 's')], { faults: [one] })).toEqual(['revocation bound at 11'])
  })

  test('a gateway that is cut off from both may not know, until the fault has ended', () => {
    const faults = [{ ...fault, cutsFeed: [0], cutsStream: [0] }]
    expect(violated([...ended, me(30, 31, 's')], { faults })).toEqual([])
    expect(violated([...ended, me(35, 36, 's')], { faults })).toEqual(['revocation bound at 35'])
  })
})

describe('responses (I5)', () => {
  const response = (given: { status: number; code?: string; retryAfter?: string }) =>
    operation(1, 2, { kind: 'me', ...given })

  test.each([
    ['500', { status: 500, code: 'internal_error' }],
    ['503 without Retry-After', { status: 503, code: 'overloaded', retryAfter: '' }],
    ['404 that is no problem+json', { status: 404 }],
    ['the account of another', { status: 200, returnedAccount: 'eve@example.com' }],
  ])('%s is a violation', (_, given) => {
    expect(violated([response(given)])).toEqual(['I5 at 1'])
  })

  test('503 with code and Retry-After is no violation', () => {
    expect(violated([response({ status: 503, code: 'database_unavailable' })])).toEqual([])
  })
})

describe('the end of a drill', () => {
  const order = (status?: number) =>
    operation(1, 2, { kind: 'order', ...(status !== undefined && { status }) })

  test('an order that arrived twice, or was acknowledged and did not arrive, is a violation (I6)', () => {
    expect(violated([order()], { deliveries: { 'request-1': 2 } })).toEqual(['I6 at 1'])
    expect(violated([order(200)])).toEqual(['I6 at 1'])
    expect(violated([order()])).toEqual([])
  })

  test('a process that ended by itself and a client that is not served are violations', () => {
    const crashes = [{ service: 'origin 1', at: 5, lastLines: 'Error' }]
    expect(violated([], { crashes, unserved: ['ada@example.com'] })).toEqual([
      'no crash at undefined',
      'liveness at undefined',
    ])
  })

  test('an acknowledged change without its audit row or its row of revocation is a violation (I3)', () => {
    const operations = [login(1, 2, 's'), logout(3, 4, 's')]
    const audits: [string, string][] = [['request-1', 'login.succeeded']]
    const sessions = [{ id: 's', endReason: 'logout', unspentTokens: 1 }]
    expect(violated(operations, { database: { audits, sessions, revoked: ['s'] } })).toEqual([])
    expect(violated(operations, { database: { audits: [], sessions, revoked: [] } })).toEqual([
      'I3 at 1',
      'I3 at 3',
    ])
  })

  test('a session that lives on, has two live tokens, or is gone is a violation', () => {
    const operations = [login(1, 2, 's'), logout(3, 4, 's'), login(5, 6, 't')]
    const audits: [string, string][] = [
      ['request-1', 'login.succeeded'],
      ['request-5', 'login.succeeded'],
    ]
    const sessions = [{ id: 's', endReason: null, unspentTokens: 2 }]
    expect(violated(operations, { database: { audits, sessions, revoked: [] } })).toEqual([
      'I1 at 3',
      'I2 at 1',
      'I1 at 5',
    ])
  })

  test('a request that was done twice is a violation (I6)', () => {
    const row: [string, string] = ['request-1', 'login.succeeded']
    const sessions = [{ id: 's', endReason: null, unspentTokens: 1 }]
    expect(violated([login(1, 2, 's')], { database: { audits: [row, row], sessions, revoked: [] } })).toEqual(
      ['I6 at 1'],
    )
  })
})

test('the shortest history has the operations that show the violation, and no others', () => {
  const operations = [
    login(1, 2, 's'),
    login(3, 4, 't'),
    refresh(5, 6, 's', 's-0', 's-1'),
    me(7, 8, 't'),
    logout(9, 10, 's'),
    me(11, 12, 't'),
    refresh(13, 14, 's', 's-1', 's-2'),
    operation(15, 16, { kind: 'me', account: 'eve@example.com', status: 200 }),
  ]
  const history = small(operations)
  const [violation] = checkHistory(history, rules)
  expect(violation).toMatchObject({ invariant: 'I1', operation: 13 })
  const shortest = shortestHistory(history, violation as NonNullable<typeof violation>, rules)
  expect(shortest.operations.map(({ id }) => id)).toEqual([1, 9, 13])
})

test('an operation without completion is unknown, and a 5xx too', () => {
  const invoked = (id: number): HistoryEvent => ({
    event: 'invoked',
    id,
    kind: 'logout',
    account: 'ada@example.com',
    gateway: 0,
    requestId: `request-${id}`,
    invokedAt: id,
  })
  const { operations } = toHistory([
    ...[1, 2, 3, 4].map(invoked),
    { event: 'completed', id: 2, completedAt: 5, status: 503 },
    { event: 'completed', id: 3, completedAt: 5, status: 401 },
    { event: 'completed', id: 4, completedAt: 5, status: 204 },
  ])
  expect(operations.map(({ outcome }) => outcome)).toEqual(['unknown', 'unknown', 'rejected', 'ok'])
  expect(operations[0]?.completedAt).toBe(Number.POSITIVE_INFINITY)
})
