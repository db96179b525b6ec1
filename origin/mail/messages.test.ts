import { describe, expect, test } from 'vitest'
import { createMessages } from './messages.ts'

const token = 'A1-b_'.repeat(9)
const expiresAt = new Date('2026-03-01T12:30:59Z')
const messages = createMessages({ frontendUrl: 'https://app.example.com/', product: 'Example' })
const all = {
  verifyAddress: messages.verifyAddress({ token, expiresAt }),
  addressTaken: messages.addressTaken(),
  resetPassword: messages.resetPassword({ token, expiresAt }),
  passwordChanged: messages.passwordChanged(),
  apiKeyCreated: messages.apiKeyCreated(),
  lockoutStarted: messages.lockoutStarted({ lockoutEndsAt: new Date('2026-03-01T23:59:01Z') }),
}

describe('a link', () => {
  test('has its token in the fragment, on a separate line', () => {
    expect(all.verifyAddress.text.split('\n')).toContain(
      `https://app.example.com/verify-email#token=${token}`,
    )
    expect(all.resetPassword.text.split('\n')).toContain(
      `https://app.example.com/reset-password#token=${token}`,
    )
  })

  test('is below the page where the frontend is not at the root', () => {
    const { text } = createMessages({
      frontendUrl: 'https://example.com/app',
      product: 'Example',
    }).resetPassword({ token, expiresAt })
    expect(text).toContain(`https://example.com/app/reset-password#token=${token}`)
  })
})

// A mail may have waited: minutes from now would promise more than there is.
test('a link has its time of expiry, never too late, and its mail is not sent after that', () => {
  for (const message of [all.verifyAddress, all.resetPassword]) {
    expect(message.text).toContain('until 2026-03-01 12:30 UTC')
    expect(message.expiresAt).toEqual(expiresAt)
  }
})

test.each(Object.entries(all))('%s has the configured product name and no other', (_, { subject, text }) => {
  expect(`${subject} ${text}`).toContain('Example')
  expect(`${subject} ${text}`).not.toMatch(/gatehouse/i)
})

test('the mail about a lockout says when it ends by itself, never too early, and how to end it sooner', () => {
  expect(all.lockoutStarted.text).toContain('2026-03-02 00:00 UTC')
  expect(all.lockoutStarted.text).toContain('forgot password')
})

test('the owner of a taken address learns that it has an account, and how to log in', () => {
  expect(all.addressTaken.text).toContain('has an account already')
  expect(all.addressTaken.text).toContain('forgot password')
})

test.each(Object.entries(all))('%s is plain ASCII text, short, with a subject of one line', (_, message) => {
  expect(message.subject).toMatch(/^[\x20-\x7e]{1,78}$/)
  expect(message.text).toMatch(/^[\x20-\x7e\n]+\n$/)
  expect(message.text).not.toMatch(/[<>]/)
  expect(message.text.length).toBeLessThan(600)
})
