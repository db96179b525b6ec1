import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { routes } from '../routes.ts'
import {
  compilePolicyWithFile,
  createReplaceablePolicy,
  PolicyFileError,
  parsePolicyFile,
  policyFileJsonSchema,
} from './policy-file.ts'

const upstreams = ['origin', 'reports', 'orders']

const orders = `# Orders, behind the gateway.
routes:
  - method: GET
    path: /v1/orders/{id}
    upstream: orders
    who: user
    limits: [user]
  - method: POST
    path: /v1/orders
    upstream: orders
    who: user
    permissions: { all: [orders.write] }
    features: [api_access]
    limits: [user]
`

const compile = (text: string) =>
  compilePolicyWithFile(routes, { name: 'policy.yaml', text }, upstreams).policy

function reasons(text: string) {
  try {
    compile(text)
  } catch (error) {
    if (error instanceof PolicyFileError) return error.reasons
    throw error
  }
  throw new Error('the file was taken')
}

describe('a policy file', () => {
  test('adds its rows to those in code, defaults filled in', () => {
    const policy = compile(orders)
    expect(policy.match('GET', '/v1/orders/7')).toMatchObject({ upstream: 'orders', deadline_seconds: 30 })
    expect(policy.match('GET', '/v1/me')).toMatchObject({ upstream: 'origin' })
    expect(() => policy.match('GET', '/v1/orders')).toThrow('method_not_allowed')
  })

  test('may be JSON', () => {
    const text = JSON.stringify({ routes: parsePolicyFile(orders, 'policy.yaml').map(({ row }) => row) })
    expect(compile(text).match('POST', '/v1/orders')).toMatchObject({ features: ['api_access'] })
  })

  test('its message names the file, the line and the reason', () => {
    expect(() => compile(orders.replace('GET', 'GIT'))).toThrow(
      /^policy\.yaml:3: routes\.0\.method: must be one of GET, POST/,
    )
  })
})

describe('a policy file is rejected by line and reason', () => {
  test.each<[string, string, number, RegExp]>([
    ['that is not YAML', `${orders}  - [`, 15, /collection|sequence/],
    ['with a key twice', orders.replace('    who: user\n', '    who: user\n    who: public\n'), 7, /unique/],
    ['with a tag of its own', 'routes:\n  - !!js/function x\n', 2, /tag/],
    ['whose aliases multiply', bomb(), 1, /alias/i],
    ['that is empty', '', 1, /expected object/],
    ['with an unknown field', orders.replace('features:', 'feature:'), 13, /feature/],
    ['with an unknown field at the top', `${orders}version: 2\n`, 15, /version/],
    ['with a missing field', orders.replace('    upstream: orders\n', ''), 3, /routes\.0\.upstream/],
    ['with a wrong value', orders.replace('[user]', '[users]'), 7, /routes\.0\.limits\.0/],
    ['with a path in two readings', orders.replace('/v1/orders/{id}', '/v1//orders'), 4, /path/],
    [
      'that asks the public for rights',
      orders.replace(
        'path: /v1/orders\n    upstream: orders\n    who: user',
        'path: /v1/orders\n    upstream: orders\n    who: public',
      ),
      11,
      /routes\.1\.who: .*must be user/,
    ],
    [
      'that goes nowhere',
      orders.replace('upstream: orders', 'upstream: nowhere'),
      5,
      /^upstream: .* no upstream: upstream must be one of origin, reports, orders/,
    ],
    [
      'with two equivalent rows',
      orders.replace('POST', '[POST, GET]').replace('/v1/orders\n', '/v1/orders/{other}\n'),
      9,
      /^path: .* is in the table twice: GET \/v1\/orders\/\{other\}; the other is in line 3/,
    ],
    [
      'with a row that the code has',
      orders.replace('/v1/orders/{id}', '/v1/me'),
      4,
      /^path: .*twice.*built in/,
    ],
    [
      'with a rewrite of an unknown parameter',
      orders.replace('upstream: orders', 'rewrite: /orders/{order}\n    upstream: orders'),
      5,
      /routes\.0\.rewrite: names \{order\}, but the path has \{id\}/,
    ],
    [
      'with a caller that does not exist',
      orders.replace('who: user', 'who: users'),
      6,
      /routes\.0\.who: .*"public"\|"optional"\|"user"/,
    ],
  ])('%s', (_, text, line, reason) => {
    const found = reasons(text)
    expect(found.map((each) => each.line)).toContain(line)
    expect(found.map((each) => each.reason).join('\n')).toMatch(reason)
  })
})

test('names each of two unknown fields by its own line', () => {
  const text = orders.replaceAll('upstream:', 'upstreams:')
  expect(reasons(text).filter(({ reason }) => reason.includes('Unrecognized'))).toEqual([
    {
      line: 5,
      reason: expect.stringMatching(/^routes\.0\.upstreams: .*; the nearest is upstream, of method/),
    },
    { line: 10, reason: expect.stringMatching(/^routes\.1\.upstreams: Unrecognized key: "upstreams"/) },
  ])
  expect(reasons(orders.replace('who: user\n    limits', 'whom: user\n    limit'))).toEqual(
    expect.arrayContaining([
      { line: 6, reason: expect.stringMatching(/^routes\.0\.whom: Unrecognized key: "whom"/) },
      { line: 7, reason: expect.stringMatching(/^routes\.0\.limit: .*; the nearest is limits/) },
    ]),
  )
})

function bomb(): string {
  const names = [...'abcdef']
  const ten = (name: string) => `[${Array.from({ length: 10 }, () => name).join(', ')}]`
  return names
    .map((name, index) => `${name}: &${name} ${ten(index === 0 ? 'x' : `*${names[index - 1]}`)}`)
    .join('\n')
}

describe('a replaceable policy', () => {
  test('decides by the new rows from the next request on', () => {
    const policy = createReplaceablePolicy(compile(orders))
    policy.replace(compilePolicyWithFile(routes, undefined, upstreams).policy)
    expect(() => policy.match('GET', '/v1/orders/7')).toThrow('not_found')
  })
})

test('policy.schema.json is what the code holds a file against', () => {
  const published = readFileSync(new URL('./policy.schema.json', import.meta.url), 'utf8')
  expect(JSON.parse(published)).toEqual(JSON.parse(JSON.stringify(policyFileJsonSchema())))
})

const limited = `limits:
  search:
    key: user
    windows: [10/s, 1000/h]
  exports:
    key: address
    windows: [5/day]
routes:
  - method: GET
    path: /v1/search
    upstream: orders
    who: user
    limits: [user, { name: search, cost: 5 }]
  - method: GET
    path: /v1/exports
    upstream: orders
    who: public
    limits: [exports]
`

describe('limits of a policy file', () => {
  test('are those that its rows name, beside the built-in ones', () => {
    const policy = compile(limited)
    expect(policy.limits).toMatchObject({ search: { key: 'user', window: 'fixed', without_redis: 'share' } })
    expect(policy.match('GET', '/v1/search').limits).toEqual(['user', { name: 'search', cost: 5 }])
  })

  const replaced = (from: string, to: string) => limited.replace(from, to)

  test.each<[string, string, number, RegExp]>([
    [
      'without a window',
      replaced('[10/s, 1000/h]', '[]'),
      4,
      /limits\.search\.windows: must have at least one window, such as 10\/s/,
    ],
    [
      'without windows',
      replaced('    windows: [5/day]\n', ''),
      6,
      /limits\.exports\.windows: must be a list of windows, such as/,
    ],
    [
      'with a window that cannot be read',
      replaced('10/s', '10 per second'),
      4,
      /windows\.0: must be a quota and a time, such as/,
    ],
    ['with a window of a year', replaced('1000/h', '1000/8760h'), 4, /windows\.1: .*at most 30 days/],
    ['with a quota of nothing', replaced('10/s', '0/s'), 4, /windows\.0: must be a quota/],
    [
      'with two windows of one length',
      replaced('1000/h', '20/1s'),
      4,
      /windows: has two windows of the same length/,
    ],
    [
      'with an unknown key',
      replaced('key: user', 'key: users'),
      3,
      /limits\.search\.key: .*"user"\|"address"\|"api_key"\|"claim:sid"/,
    ],
    [
      'with an unknown claim',
      replaced('key: user', 'key: claim:sub'),
      3,
      /"claim:sid"\|"claim:role"\|"claim:plan"/,
    ],
    ['with a name twice', replaced('exports:', 'search:'), 5, /unique/],
    [
      'with the name of a built-in limit',
      replaced('exports:', 'refresh:'),
      6,
      /is the name of a built-in limit, which are address, mail/,
    ],
    ['with a name of capitals', replaced('exports:', 'EXPORTS:'), 6, /lower-case letters/],
    [
      'with an unknown field',
      replaced('key: user\n', 'key: user\n    windw: fixed\n'),
      4,
      /Unrecognized key: "windw"/,
    ],
    [
      'with another kind of window',
      replaced('key: user\n', 'key: user\n    window: leaky\n'),
      4,
      /"fixed"\|"sliding"/,
    ],
    [
      'that slides with the calendar',
      replaced('key: address\n', 'key: address\n    window: sliding\n'),
      7,
      /must be fixed/,
    ],
    [
      'with another rule without Redis',
      replaced('key: user\n', 'key: user\n    without_redis: half\n'),
      4,
      /"share"\|"half_share"\|"open"\|"closed"/,
    ],
    [
      'with plans for addresses',
      replaced('key: address\n', 'key: address\n    plans: { pro: [9/h] }\n'),
      7,
      /needs a plan/,
    ],
    ['with the quota of a plan for addresses', replaced('5/day', 'plan/h'), 7, /needs the quota of a plan/],
    [
      'with a cost from the response for failures',
      replaced('key: user\n', 'key: user\n    counts: failures\n    cost_header: X-Cost\n'),
      5,
      /must count requests/,
    ],
    [
      'that a row names and the file has not',
      replaced('limits: [exports]', 'limits: [export]'),
      18,
      /routes\.1\.limits\.0: has the limit export, which is none of address, mail, .*, search, exports/,
    ],
    [
      'that a row names twice',
      replaced('[user, {', '[search, {'),
      13,
      /routes\.0\.limits\.1: has the limit search twice/,
    ],
    [
      'for users on a public row',
      replaced('limits: [exports]', 'limits: [search]'),
      18,
      /limit search, which counts users, so it must be for users/,
    ],
    [
      'with a cost beyond its smallest window',
      replaced('cost: 5', 'cost: 11'),
      13,
      /costs 11 of the limit search, which has 10 in one window/,
    ],
    [
      'with a cost of nothing',
      replaced('cost: 5', 'cost: 0'),
      13,
      /limits\.1\.cost: Too small: expected number to be >=1/,
    ],
    [
      'by API keys on a row that accepts none',
      replaced('key: address', 'key: api_key').replace('who: public', 'who: user'),
      18,
      /limit exports, which counts API keys, so it must have keys: true/,
    ],
    [
      'by API keys alone',
      replaced('key: address', 'key: api_key').replace('who: public', 'who: user\n    keys: true'),
      19,
      /limits by API keys alone/,
    ],
  ])('are rejected %s, by line, field and allowed values', (_, text, line, reason) => {
    const found = reasons(text)
    expect(found.map(({ reason }) => reason).join('\n')).toMatch(reason)
    expect(found.map((each) => each.line)).toContain(line)
  })
})
