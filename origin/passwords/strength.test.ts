import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
})
afterAll(() => fullStack.close())

const register = (password: string, email = 'ada.lovelace@example.com') =>
  fullStack.post('/auth/register', { email, password })

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
    ['is two rows of keys in turn', '1q2w3e4r5t6y7u8i9o'],
    ['is two rows of keys in turn, from the left', 'q1w2e3r4t5y6u7i8o9p0'],
    ['is a common one with digits, and the same with Shift', 'Password1123!@#'],
    ['is German of many leaks', 'ichliebedich'],
    ['is the same with signs around it', '!Ichliebedich1!'],
    ['is the same with signs for letters', '1chl1eb3d1ch'],
    ['is French, without its accents', 'telechargement'],
    ['is French, with its accents', 'téléchargement'],
    ['is Spanish', 'contraseña123'],
    ['is Italian', 'buongiorno123'],
    ['is Dutch', 'wachtwoord123'],
    ['is Portuguese', 'minhasenha123'],
    ['is Polish', 'zaq12wsxcde3'],
    ['is Finnish', 'salasana12345'],
    ['is a property of every object', 'constructorconstructor'],
  ])('422 validation_failed: %s, with the reason', async (_, password) => {
    const answer = await register(password)
    expect(answer.status).toBe(422)
    const { code, errors } = await problem(answer)
    expect(code).toBe('validation_failed')
    expect(errors).toEqual([
      {
        pointer: '/password',
        detail: expect.stringMatching(/^[A-Z“"'].{9,}\.$/),
        code: expect.stringMatching(/^too_(common|predictable)$/),
      },
    ])
    expect(JSON.stringify(errors)).not.toContain(password)
  })

  test.each([
    ['too_short', 'short'],
    ['too_long', 'long and longer and '.repeat(20)],
    ['too_long', 'a'.repeat(2000)],
    ['too_common', 'passwordpassword'],
    ['too_common', 'ichliebedich'],
    ['too_predictable', 'abcabcabcabcabc'],
    ['too_predictable', '1q2w3e4r5t6y7u8i9o'],
    ['contains_email', 'ada.lovelace plays chess'],
    ['contains_product_name', 'gatehouse opens at noon'],
  ])('422 validation_failed: the code is %s', async (code, password) => {
    expect((await problem(await register(password))).errors).toEqual([
      { pointer: '/password', detail: expect.any(String), code },
    ])
  })

  // Passwords that an attacker of this one account tries first.
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
    expect((await problem(answer)).errors).toMatchObject([{ pointer: '/password', detail }])
    expect(await fullStack.sql`select from user_accounts`).toHaveLength(0)
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
    expect((await fullStack.post('/auth/login', { email, password })).status).toBe(200)
  })
})

test('the shortest length is configurable', async () => {
  const other = await createFullStack({
    environment: { ...highLimits, PASSWORD_MIN_LENGTH: '16' },
    remains: fullStack.remains,
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
