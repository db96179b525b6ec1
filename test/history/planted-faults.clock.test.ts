import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { shortestHistory } from './checker/shortest-history.ts'
import { type DrillResult, rules, runDrill } from './drill/run-drill.ts'

const maxOperations = 400

let result: DrillResult
beforeAll(async () => {
  result = await runDrill({
    seed: 1,
    seconds: 60,
    maxOperations,
    makesFaults: false,
    originPreload: 'test/history/planted/faulty-origin.ts',
    historyFile: join(tmpdir(), 'gatehouse-drill-planted.jsonl'),
  })
}, 300_000)

/** Kinds of the operations that show a violation of the rule, and nothing else. */
function shown(rule: string): string[] {
  const violation = result.violations.find((one) => one.rule.startsWith(rule))
  if (!violation) throw new Error(`no violation of: ${rule}`)
  return shortestHistory(result.history, violation, rules).operations.map(({ kind }) => kind)
}

test('an origin that skips the row of revocation is found: a token outlives its session, and the row is missing', () => {
  const [login, ending, use] = shown('a gateway that reads the feed or the stream refuses an access token')
  expect(login).toBe('login')
  expect(ending).toMatch(/^(logout|logout_everywhere|change_password)$/)
  expect(use).toBe('me')
  expect(shown('the end of a session has its row of revocation')).toContain('login')
})

test('a rotation that checks and then writes is found: two refreshes of one token have two successors', () => {
  expect(shown('one refresh token has one successor')).toEqual(['login', 'refresh', 'refresh'])
  expect(shown('a session has one live refresh token')).toEqual(['login'])
})

test('both are found within a bounded number of operations', () => {
  expect(result.history.operations.length).toBeLessThan(2 * maxOperations)
})
