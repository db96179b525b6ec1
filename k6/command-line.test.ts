import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { UsageError } from '../shared/node/cli.ts'
import { parseCommandLine } from './command-line.ts'
import { scenarios } from './scenarios.ts'

describe('npm run k6', () => {
  test('without words is the smoke run, and takes a scenario by the name of its file too', () => {
    expect(parseCommandLine([]).name).toBe('smoke')
    expect(parseCommandLine(['smoke.js'])).toEqual(parseCommandLine(['smoke']))
    expect(parseCommandLine(['frontend.ts']).name).toBe('frontend')
  })

  test('takes the scale of a scenario unless an option overrides it', () => {
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
    [['soak', '--speed', '3'], '--speed'],
  ])('rejects %j, and says why', (args, reason) => {
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
