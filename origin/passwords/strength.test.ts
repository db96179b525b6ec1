import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { roomy } from '../../test/roomy.ts'
import { createWorld, problem, type World } from '../../test/world.ts'

let world: World
beforeAll(async () => {
  world = await createWorld({ environment: roomy })
})
afterAll(() => world.close())

const register = (password: string, email = 'ada.lovelace@example.com') =>
  world.post('/auth/register', { email, password })

describe('POST /auth/register, a password that', () => {
  test.each([
    ['is on every list', 'passwordpassword'],
    ['is on every list, in other letter case', 'PASSWORDpassword'],
    ['is on every list, with signs for letters', 'P@ssw0rd1234'],
    ['is a row of keys', 'qwertyuiopasdf'],
    ['is a row of digits', '123456789012'],
    ['is one letter again and again', 'aaaaaaaaaaaaaaaaaaaaaaaa'],
    ['is one sign again and again', '😀'.repeat(16)],
    ['is nothing but spaces', ' '.repeat(20)],
    ['is a short one, repeated', 'abcabcabcabcabc'],
  ])('422 validation_failed: %s, with the reason', async (_, password) => {
    const answer = await register(password)
    expect(answer.status).toBe(422)
    const { code, errors } = await problem(answer)
    expect(code).toBe('validation_failed')
    expect(errors).toEqual([{ pointer: '/password', detail: expect.stringMatching(/^[A-Z“"'].{9,}\.$/) }])
    expect(JSON.stringify(errors)).not.toContain(password)
  })

  // What whoever aims at this one account tries first.
  test.each([
    ['the address', 'my ada.lovelace@example.com!', 'must not contain the email address'],
    [
      'the address in other letter case',
      'my ADA.Lovelace@Example.com!',
      'must not contain the email address',
    ],
    ['what stands before the @', 'ada.lovelace plays chess', 'must not contain the email address'],
    ['the name of the product', 'gateHOUSE opens at noon', 'must not contain the name of the product'],
  ])('422 validation_failed: contains %s', async (_, password, detail) => {
    const answer = await register(password)
    expect(answer.status).toBe(422)
    expect((await problem(answer)).errors).toEqual([{ pointer: '/password', detail }])
    expect(await world.sql`select from user_accounts`).toHaveLength(0)
  })

  test.each([
    ['has lower case letters alone', 'tundra vowel kiosk brunt'],
    ['has digits alone', '8306174952714068'],
    ['has a long phrase', `${'a walk along the river before breakfast, '.repeat(6)}`.slice(0, 256)],
    ['has no Latin letter', 'река течёт мимо старой мельницы'],
    ['contains a name of three letters, which is in many words by chance', 'canada goose parade'],
  ])('202: %s: no rule of composition', async (what, password) => {
    const email = what.includes('three letters')
      ? 'ada@example.com'
      : `${what.replaceAll(/\W/g, '.')}@example.com`
    const answer = await register(password, email)
    expect(answer.status, await answer.clone().text()).toBe(202)
    expect((await world.post('/auth/login', { email, password })).status).toBe(200)
  })
})

test('the shortest length is configurable', async () => {
  const other = await createWorld({
    environment: { ...roomy, PASSWORD_MIN_LENGTH: '16' },
    remains: world.remains,
  })
  try {
    const email = 'short@example.com'
    const answer = await other.post('/auth/register', { email, password: 'zebra vowel tun' })
    expect(answer.status).toBe(422)
    expect((await problem(answer)).errors?.[0]?.detail).toBe('must have at least 16 characters')
    expect((await other.post('/auth/register', { email, password: 'zebra vowel tune' })).status).toBe(202)
  } finally {
    await other.close()
  }
})
