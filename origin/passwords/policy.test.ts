import bcrypt from 'bcryptjs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFullStack, type FullStack, problem } from '../../test/support/full-stack/full-stack.ts'
import { highLimits } from '../../test/support/high-limits.ts'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: highLimits })
})
afterAll(() => fullStack.close())

let accounts = 0
async function register(password: string) {
  accounts += 1
  const email = `person${accounts}@example.com`
  return { email, answer: await fullStack.post('/auth/register', { email, password }) }
}

/** Characters of one script in no order that a list would know. */
function characters(first: number, count: number): string {
  const perScript = 26
  return Array.from({ length: count }, (_, index) =>
    String.fromCodePoint(first + ((index * index * 7 + index * 3) % perScript)),
  ).join('')
}

const loginStatus = async (email: string, password: string) =>
  (await fullStack.post('/auth/login', { email, password })).status

describe('POST /auth/register, the password', () => {
  test.each([
    ['11 characters', 'abcdefghijk'],
    // 22 UTF-16 units and 44 bytes, yet a person counts eleven.
    ['11 characters outside the basic plane', '😀'.repeat(11)],
    ['257 characters', 'a'.repeat(257)],
  ])('422 validation_failed: %s', async (_, password) => {
    const { answer, email } = await register(password)
    expect(answer.status).toBe(422)
    const { code, errors } = await problem(answer)
    expect(code).toBe('validation_failed')
    expect(errors?.map(({ pointer }) => pointer)).toEqual(['/password'])
    expect(await fullStack.sql`select from user_accounts where email = ${email}`).toHaveLength(0)
  })

  test.each([
    ['12 characters', 'zebravoweltu'],
    ['a zero byte inside, where bcrypt alone would stop', 'zebra\u0000vowel tune'],
    ['256 characters of four bytes', characters(0x1f300, 256)],
  ])('202: %s, and it logs in', async (_, password) => {
    const { answer, email } = await register(password)
    expect(answer.status).toBe(202)
    expect(await loginStatus(email, password)).toBe(200)
  })

  // bcrypt alone stops at 72 bytes: whoever knows the first 18 of these characters would be in.
  test.each([
    ['Latin', 0x100],
    ['Cyrillic', 0x430],
    ['Han', 0x6f22],
    ['Gothic', 0x10330],
  ])(
    '202: 64 characters of %s are taken whole: another last one or another case is rejected',
    async (_, first) => {
      const start = characters(first, 62)
      const { answer, email } = await register(`${start}Zz`)
      expect(answer.status).toBe(202)
      expect(await loginStatus(email, `${start}Zz`)).toBe(200)
      for (const end of ['Zy', 'ZZ', 'Z', 'Zzz']) expect(await loginStatus(email, start + end)).toBe(401)
    },
  )

  // One keyboard sends é as one code point, another as e and an accent: SP 800-63B-4 has them be
  // one password.
  test('202: the composed and the decomposed form of one password both log in, whichever was registered', async () => {
    const phrase = 'crème brûlée à Genève'
    const composed = phrase.normalize('NFC')
    const decomposed = phrase.normalize('NFD')
    expect(composed).not.toBe(decomposed)
    for (const registered of [composed, decomposed]) {
      const { email } = await register(registered)
      expect(await loginStatus(email, composed)).toBe(200)
      expect(await loginStatus(email, decomposed)).toBe(200)
      expect(await loginStatus(email, 'creme brulee a Geneve')).toBe(401)
    }
  })

  // A stolen table alone is worth no guess: what bcrypt hashed is a digest under a key that is not
  // in the table.
  test('what is stored is bcrypt of cost 10 or more, and not of the bare password', async () => {
    const password = 'correct horse battery'
    const { email } = await register(password)
    const [row] = await fullStack.sql<[{ password_hash: string }]>`
      select password_hash from user_accounts where email = ${email}`
    expect(row.password_hash).toMatch(/^\$2[aby]\$1\d\$/)
    expect(await bcrypt.compare(password, row.password_hash)).toBe(false)
    expect(await loginStatus(email, password)).toBe(200)
  })
})
