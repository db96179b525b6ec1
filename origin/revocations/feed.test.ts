import postgres from 'postgres'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { gatewayAudience } from '../../shared/auth/assertion.ts'
import { importWebSigner } from '../../shared/auth/jwk.ts'
import type { RevocationFeed } from '../../shared/auth/revocation.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { signAssertion } from '../../test/support/sign-assertion.ts'
import { directUrl } from '../../tools/servers/postgres/test-database.ts'

let fullStack: FullStack
/** A second connection, for transactions that overlap. */
let other: postgres.Sql
let headers: Record<string, string>

const sign = async (audience: string) => {
  const nowSeconds = Math.floor(Date.now() / 1000)
  const signer = await importWebSigner(fullStack.gatewayConfig.ASSERTION_PRIVATE_JWK)
  return signAssertion(null, { signer, audience, nowSeconds, expiresAtSeconds: nowSeconds + 300 })
}

beforeAll(async () => {
  fullStack = await createFullStack()
  other = postgres(directUrl(fullStack.originConfig.DATABASE_URL), { max: 1 })
  headers = { [assertionHeader]: await sign(gatewayAudience) }
})
afterAll(async () => {
  await other.end()
  await fullStack.close()
})
beforeEach(() => fullStack.sql`truncate revocations`)

const path = '/internal/gateway/revocations'

async function read(after?: string): Promise<RevocationFeed> {
  const answer = await fullStack.originFetch(path + (after === undefined ? '' : `?after=${after}`), {
    headers,
  })
  expect(answer.status).toBe(200)
  return (await answer.json()) as RevocationFeed
}

const subjects = ({ entries }: RevocationFeed) => entries.map(({ subject }) => subject)

/** Goes on until nothing is read any more: transactions of other tests, too, hold a cursor back. */
async function untilQuiet(cursor: string): Promise<string> {
  let at = cursor
  await expect
    .poll(
      async () => {
        const feed = await read(at)
        at = feed.next
        return subjects(feed)
      },
      { timeout: 5000 },
    )
    .toEqual([])
  return at
}

const end = (subject: string, sql: postgres.Sql | FullStack['sql'] = fullStack.sql) =>
  sql`insert into revocations (scope, subject) values ('session', ${subject})`

describe('GET /internal/gateway/revocations', () => {
  test('200: an entry with an expiry 60 s after that of the last token that it concerns', async () => {
    await end('a')
    await fullStack.sql`insert into revocations (scope, subject, epoch) values ('plan', 'pro', 7)`
    const { entries } = await read()
    expect(entries).toMatchObject([
      { scope: 'session', subject: 'a', epoch: null },
      { scope: 'plan', subject: 'pro', epoch: 7 },
    ])
    for (const { at, until } of entries) {
      expect(Math.abs(Date.now() - at)).toBeLessThan(5000)
      expect(until - at).toBe((fullStack.originConfig.ACCESS_TOKEN_SECONDS + 60) * 1000)
    }
  })

  test('200: an entry is left out once every token that it concerns has expired', async () => {
    await fullStack.sql`
      insert into revocations (scope, subject, created_at)
      values ('session', 'dead', now() - interval '961 s'), ('session', 'live', now() - interval '959 s')`
    expect(subjects(await read())).toEqual(['live'])
    expect(subjects(await read('1'))).toEqual(['live'])
  })

  test('200: after a cursor only later entries, or none', async () => {
    await end('a')
    const first = await read()
    expect(subjects(first)).toEqual(['a'])
    const cursor = await untilQuiet(first.next)
    await end('b')
    expect(subjects(await read(cursor))).toEqual(['b'])
  })

  // An id is taken at insert and shows at commit: whoever reads up to the highest id passes over
  // the slower transaction for ever.
  test('200: an entry whose transaction began earlier and commits later is not skipped', async () => {
    const { next: before } = await read()
    let after = ''
    await other.begin(async (slow) => {
      await end('slow', slow as unknown as postgres.Sql)
      await end('fast')
      const seen = await read(before)
      expect(subjects(seen)).toEqual(['fast'])
      after = seen.next
    })
    expect(subjects(await read(after))).toContain('slow')
    await untilQuiet(after)
  })

  test('200: all of them for a cursor from the future, as a gateway has when the database was restored', async () => {
    await end('a')
    const future = await read('999999999999999999')
    expect(subjects(future)).toEqual(['a'])
    expect(BigInt(future.next)).toBeLessThan(999999999999999999n)
  })

  test('400 query_invalid: a malformed cursor, and an unknown parameter', async () => {
    for (const query of [
      'after=x',
      'after=-1',
      'after=',
      `after=${'9'.repeat(19)}`,
      'before=1',
      'after=1&x=1',
    ]) {
      const answer = await fullStack.originFetch(`${path}?${query}`, { headers })
      expect(answer.status, query).toBe(400)
      expect((await problem(answer)).code).toBe('query_invalid')
    }
  })

  test('401 untrusted_caller: no assertion, and one of a proxied request', async () => {
    for (const refused of [{}, { [assertionHeader]: await sign('origin') }]) {
      const answer = await fullStack.originFetch(path, { headers: refused as Record<string, string> })
      expect(answer.status).toBe(401)
      expect((await problem(answer)).code).toBe('untrusted_caller')
    }
  })

  test('404: it is not reachable through the gateway', async () => {
    expect((await fullStack.call(path)).status).toBe(404)
  })

  test('a poll is served by an index, however many rows there are', async () => {
    await fullStack.sql`
      insert into revocations (scope, subject, transaction_id)
      select 'session', 'old-' || i, '5'::xid8 from generate_series(1, 20000) as i`
    await fullStack.sql`analyze revocations`
    const [{ next } = { next: '' }] = await fullStack.sql<{ next: string }[]>`
      select pg_snapshot_xmin(pg_current_snapshot())::text as next`
    const plan = await fullStack.sql`
      explain select id from revocations where created_at > now() - make_interval(secs => 960)
      and transaction_id >= case
        when ${next}::xid8 > pg_snapshot_xmax(pg_current_snapshot()) then '0'::xid8 else ${next}::xid8 end`
    const text = plan.map((row) => row['QUERY PLAN']).join('\n')
    expect(text).toContain('revocations_transaction_id')
    expect(text).not.toContain('Seq Scan')
  })
})
