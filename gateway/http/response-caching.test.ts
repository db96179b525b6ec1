import { describe, expect, test } from 'vitest'
import type { RawHeaders } from '../../shared/http/headers.ts'
import { closedRow, openRow } from '../../test/support/gateway/gateway-harness.ts'
import { compilePolicy, type PolicyRow } from '../policy/policy.ts'
import { responseHeaders } from './response-headers.ts'

type Credential = 'none' | 'token' | 'key' | 'url'

/** Headers of a response, each name with its lines joined. */
function respond(
  fields: Partial<PolicyRow>,
  credential: Credential,
  { status = 200, upstream = [] as RawHeaders } = {},
) {
  const base = fields.who === 'user' ? closedRow : openRow
  const row = compilePolicy([{ ...base, path: '/x', ...fields }], ['reports']).match('GET', '/x')
  const raw = responseHeaders(status, upstream, {
    row,
    caller: credential === 'none' ? null : {},
    apiKey: credential === 'key' ? {} : undefined,
    urlCredential: credential === 'url' ? {} : undefined,
    limitHeaders: [],
  })
  const headers = new Headers()
  for (let i = 0; i < raw.length; i += 2) headers.append(String(raw[i]), String(raw[i + 1]))
  return { cacheControl: headers.get('cache-control'), vary: headers.get('vary') }
}

const keys = { who: 'user', keys: true } as const
const optional = { who: 'optional', keys: true, signed_urls: true } as const
const stating = (...values: string[]) => ({
  upstream: values.flatMap((value) => ['Cache-Control', value]),
})

describe('Vary', () => {
  test.each<[string, Partial<PolicyRow>, string | null]>([
    ['a row with keys names both credentials', keys, 'Authorization, X-Api-Key'],
    ['so does an optional one, for anybody too', optional, 'Authorization, X-Api-Key'],
    ['an optional row without keys names Authorization', { who: 'optional' }, 'Authorization'],
    ['a public row names none', {}, null],
  ])('%s', (_, fields, vary) => {
    expect(respond(fields, 'none').vary).toBe(vary)
  })
})

describe('a credential that is not in Authorization', () => {
  test.each([
    ['max-age=60', 'max-age=60, private'],
    ['no-cache', 'no-cache, private'],
    ['private="Set-Cookie"', 'private="Set-Cookie", private'],
    ['ext="a, public"', 'ext="a, public", private'],
    ['x-public', 'x-public, private'],
    ['public, max-age=60', 'public, max-age=60'],
    ['max-age=0 , S-MaxAge=60', 'max-age=0 , S-MaxAge=60'],
    ['must-revalidate', 'must-revalidate'],
    ['private, max-age=60', 'private, max-age=60'],
    ['no-store', 'no-store'],
  ])('Cache-Control %s of the upstream becomes %s, as private as with Authorization', (stated, expected) => {
    for (const credential of ['key', 'url'] as const)
      expect(respond(optional, credential, stating(stated)).cacheControl).toBe(expected)
    expect(respond(optional, 'token', stating(stated)).cacheControl).toBe(stated)
    expect(respond(optional, 'none', stating(stated)).cacheControl).toBe(stated)
  })

  test('Cache-Control in two lines is one value', () => {
    expect(respond(keys, 'key', stating('max-age=60', 'public')).cacheControl).toBe('max-age=60, public')
  })

  test('private, also where the row leaves Cache-Control to the upstream, or sets one', () => {
    expect(respond({ ...keys, cache_control: 'upstream' }, 'key').cacheControl).toBe('private')
    expect(respond({ ...keys, cache_control: 'upstream' }, 'token').cacheControl).toBeNull()
    expect(respond({ ...keys, cache_control: 'max-age=9' }, 'key').cacheControl).toBe('max-age=9, private')
  })
})

describe('cache_control: public of an optional row', () => {
  const row = { ...optional, cache_control: 'public, max-age=3600' }

  test('is for requests without a user', () => {
    expect(respond(row, 'none', stating('max-age=5')).cacheControl).toBe('public, max-age=3600')
  })

  test.each(['token', 'key', 'url'] as const)('is not for a user, by %s', (credential) => {
    expect(respond(row, credential).cacheControl).toBe('private, no-store')
    expect(respond(row, credential, stating('private, max-age=5')).cacheControl).toBe('private, max-age=5')
  })

  test('a value that shares nothing is for users, too', () => {
    const mine = { ...optional, cache_control: 'private, max-age=60' }
    expect(respond(mine, 'token').cacheControl).toBe('private, max-age=60')
  })
})
