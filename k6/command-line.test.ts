import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../shared/node/cli.ts'
import { parseCommandLine } from './command-line.ts'
import { scenarios } from './scenarios.ts'

describe('npm run k6', () => {
  test('without arguments it is the smoke run; a scenario may be named by its file', () => {
    expect(parseCommandLine([]).name).toBe('smoke')
    expect(parseCommandLine(['smoke.js'])).toEqual(parseCommandLine(['smoke']))
    expect(parseCommandLine(['frontend.ts']).name).toBe('frontend')
  })

  test('has the scale of the scenario unless an option overrides it', () => {
    expect(parseCommandLine(['frontend'])).toMatchObject(scenarios.frontend ?? {})
    expect(
      parseCommandLine(['frontend', '--users', '100000', '--rate', '900', '--seconds', '600']),
    ).toMatchObject({
      users: 100_000,
      rate: 900,
      seconds: 600,
      gateways: scenarios.frontend?.gateways,
    })
  })

  test('keeps the variables of a scenario beside the cost of hashing', () => {
    expect(parseCommandLine(['key-rotation', '--hash-cost', '11']).environment).toEqual({
      ...scenarios['key-rotation']?.environment,
      PASSWORD_HASH_COST: '11',
    })
  })

  test('sets variables of Gatehouse over those of the scenario', () => {
    const { environment } = parseCommandLine([
      'hundred-thousand',
      ...['--set', 'GATEWAY_PROCESSES=max', '--set', 'LIMIT_ADDRESS_REQUESTS=7'],
    ])
    expect(environment).toEqual({ GATEWAY_PROCESSES: 'max', LIMIT_ADDRESS_REQUESTS: '7' })
  })

  test('searches in runs of one minute by default', () => {
    expect(parseCommandLine(['hundred-thousand'])).toMatchObject({
      seconds: 600,
      rampSeconds: 60,
      searches: false,
    })
    expect(parseCommandLine(['hundred-thousand', '--search'])).toMatchObject({
      seconds: 60,
      searches: true,
      environment: { ACCESS_TOKEN_SECONDS: '3600' },
    })
    expect(
      parseCommandLine(['hundred-thousand', '--search', '--seconds', '30', '--ramp', '9']),
    ).toMatchObject({
      seconds: 30,
      rampSeconds: 9,
    })
  })

  test('measures logins at the cost they have in production', () => {
    expect(parseCommandLine(['frontend', '--measure']).environment).toEqual({ PASSWORD_HASH_COST: '12' })
    expect(parseCommandLine(['frontend', '--measure', '--hash-cost', '10']).environment).toEqual({
      PASSWORD_HASH_COST: '10',
    })
  })

  test.each([
    [['storm'], 'there is no scenario storm'],
    [['smoke', 'soak'], 'too many words: soak'],
    [['soak', '--seconds', '0'], '--seconds takes a number'],
    [['soak', '--rate', 'many'], '--rate takes a number'],
    [['soak', '--measure'], '--measure belongs to frontend'],
    [['soak', '--search'], '--search belongs to hundred-thousand'],
    [['soak', '--reads'], '--reads belongs to hundred-thousand'],
    [['soak', '--ramp', '9'], '--ramp belongs to hundred-thousand'],
    [['soak', '--out', 'results'], '--out belongs to hundred-thousand'],
    [['hundred-thousand', '--gateways', '2'], 'hundred-thousand has one gateway'],
    [['soak', '--set', 'PASSWORD_HASH_COST'], '--set takes NAME=VALUE'],
    [['soak', '--speed', '3'], '--speed'],
  ])('rejects %j, with the reason', (args, reason) => {
    expect(() => parseCommandLine(args)).toThrow(UsageError)
    expect(() => parseCommandLine(args)).toThrow(reason)
  })

  test('every scenario has its file', () => {
    for (const name of Object.keys(scenarios))
      expect({ name, exists: existsSync(join(import.meta.dirname, 'scenarios', `${name}.ts`)) }).toEqual({
        name,
        exists: true,
      })
  })
})
