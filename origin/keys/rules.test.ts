import { describe, expect, test } from 'vitest'
import { formatKeys } from './format-keys.ts'
import {
  dueAt,
  type KeyAge,
  type KeyState,
  type KeyWaits,
  keyWaits,
  nextStep,
  ringLagSeconds,
} from './rules.ts'

const waits: KeyWaits = { published: 720, signing: 86_400, retiring: 1025 }
const now = new Date('2026-06-01T12:00:00Z')
const key = (kid: string, state: KeyState, ageSeconds: number): KeyAge => ({
  kid,
  state,
  stateSince: new Date(now.getTime() - ageSeconds * 1000),
})

describe('the next step', () => {
  test.each<[string, KeyAge[], ReturnType<typeof nextStep>]>([
    ['no key: none is made by itself', [], { kind: 'wait' }],
    ['no signing key: none is made by itself', [key('b', 'published', 99_999)], { kind: 'wait' }],
    ['a young signing key: nothing', [key('a', 'signing', 86_399)], { kind: 'wait' }],
    ['an old signing key: publish its successor', [key('a', 'signing', 86_400)], { kind: 'publish' }],
    [
      'a key just published: nothing, however old the signing one is',
      [key('a', 'signing', 99_999), key('b', 'published', 719)],
      { kind: 'wait' },
    ],
    [
      'a key published for long enough: it signs',
      [key('a', 'signing', 99_999), key('b', 'published', 720)],
      { kind: 'sign', kid: 'b' },
    ],
    [
      'a key published for a young signing one: it signs as well',
      [key('a', 'signing', 800), key('b', 'published', 720)],
      { kind: 'sign', kid: 'b' },
    ],
    [
      'a key that retires, whose tokens live: nothing',
      [key('a', 'retiring', 1024), key('b', 'signing', 1024)],
      { kind: 'wait' },
    ],
    [
      'a key that retired, whose tokens are dead: it goes',
      [key('a', 'retiring', 1025), key('b', 'signing', 1025)],
      { kind: 'remove', kid: 'a' },
    ],
    [
      'two retiring keys, one due: that one goes',
      [key('a', 'retiring', 10), key('b', 'retiring', 2000), key('c', 'signing', 10)],
      { kind: 'remove', kid: 'b' },
    ],
  ])('%s', (_, keys, step) => {
    expect(nextStep(keys, now, waits)).toEqual(step)
  })
})

describe('the waits', () => {
  const config = {
    JWKS_CACHE_SECONDS: 300,
    ACCESS_TOKEN_SECONDS: 900,
    SERVICE_TOKEN_SECONDS: 300,
    SIGNING_KEY_DAYS: 90,
  }

  test('with the defaults: 12 min published, 90 days signing, 17 min 5 s retiring', () => {
    expect(keyWaits(config)).toEqual({ published: 720, signing: 7_776_000, retiring: 1025 })
  })

  test.each([
    ['the longer token is a service', { SERVICE_TOKEN_SECONDS: 3600 }],
    ['tokens are short and caches long', { ACCESS_TOKEN_SECONDS: 60, JWKS_CACHE_SECONDS: 86_400 }],
    ['caches are short', { JWKS_CACHE_SECONDS: 1 }],
  ])('cover two cache times, every token and a late replica where %s', (_, over) => {
    const given = { ...config, ...over }
    const { published, retiring } = keyWaits(given)
    const lives = Math.max(given.ACCESS_TOKEN_SECONDS, given.SERVICE_TOKEN_SECONDS)
    for (const wait of [published, retiring])
      expect(wait).toBeGreaterThanOrEqual(2 * given.JWKS_CACHE_SECONDS)
    expect(published).toBeGreaterThanOrEqual(given.JWKS_CACHE_SECONDS + ringLagSeconds)
    expect(retiring).toBeGreaterThanOrEqual(lives + 5 + ringLagSeconds)
  })

  test('a key is due when its state has lasted that long', () => {
    expect(dueAt(key('a', 'published', 720), waits)).toEqual(now)
  })
})

describe('a key as list shows it', () => {
  test('has its state, since when, and when its next step is due', () => {
    const keys = [key('a', 'retiring', 25), key('b', 'signing', 25), key('c', 'published', 20)]
    expect(formatKeys(keys, waits)).toEqual([
      'a  retiring   since 2026-06-01T11:59:35.000Z  gone from 2026-06-01T12:16:40.000Z',
      'b  signing    since 2026-06-01T11:59:35.000Z  retires from 2026-06-01T12:11:40.000Z',
      'c  published  since 2026-06-01T11:59:40.000Z  signs from 2026-06-01T12:11:40.000Z',
    ])
    expect(formatKeys([key('b', 'signing', 0)], waits)[0]).toContain(
      'successor published from 2026-06-02T12:00:00.000Z',
    )
  })
})
