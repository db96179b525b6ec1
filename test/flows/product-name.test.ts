import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createFullStack, type FullStack, problem } from '../support/full-stack/full-stack.ts'
import { highLimits } from '../support/high-limits.ts'

const password = 'correct horse battery'

let fullStack: FullStack
beforeAll(async () => {
  fullStack = await createFullStack({ environment: { ...highLimits, PRODUCT_NAME: 'Acme Cloud' } })
})
afterAll(() => fullStack.close())

describe('with PRODUCT_NAME', () => {
  test('mails name the product, and Gatehouse nowhere', async () => {
    const email = 'ada@example.com'
    await fullStack.post('/auth/register', { email, password })
    await fullStack.post('/auth/register', { email, password })
    await fullStack.post('/auth/password/forgot', { email })
    const mails = await fullStack.mails(email)
    expect(mails).toHaveLength(3)
    for (const { subject, text } of mails) {
      expect(subject).toContain('Acme Cloud')
      expect(text).not.toMatch(/gatehouse/i)
    }
  })

  test.each(['my acme cloud login', 'I love AcmeCloud!', 'x-acme-cloud-2026'])(
    '422 validation_failed: a password that contains the name: %s',
    async (chosen) => {
      const answer = await fullStack.post('/auth/register', { email: 'eve@example.com', password: chosen })
      expect(answer.status).toBe(422)
      expect(await problem(answer)).toMatchObject({ errors: [{ code: 'contains_product_name' }] })
    },
  )

  test('202: a password that contains a part of the name, or the name that a product has by default', async () => {
    for (const [index, chosen] of ['tundra acme vowel kiosk', 'tundra gatehouse kiosk'].entries()) {
      const email = `person${index}@example.com`
      expect((await fullStack.post('/auth/register', { email, password: chosen })).status).toBe(202)
    }
  })
})

// Three letters are in too many good passwords by chance.
test('202: a password that contains a very short name', async () => {
  const short = await createFullStack({ environment: { PRODUCT_NAME: 'Sun' } })
  const answer = await short.post('/auth/register', {
    email: 'ada@example.com',
    password: 'tundra sunlit kiosk',
  })
  expect(answer.status).toBe(202)
  await short.close()
})
