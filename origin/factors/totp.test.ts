import { Secret, URI } from 'otpauth'
import { describe, expect, test } from 'vitest'
import { acceptedStep, describeTotp, newTotpSecret, totpStep } from './totp.ts'

/** Of RFC 6238, appendix B: the last six of the eight digits. */
const secret = Secret.fromLatin1('12345678901234567890').base32
const vectors = [
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
  [20_000_000_000, '353130'],
] as const

describe('a code', () => {
  test.each(vectors)('of RFC 6238 at %i s is accepted', (seconds, code) => {
    const now = seconds * 1000
    expect(acceptedStep(secret, code, { now, lastStep: 0 })).toBe(totpStep(now))
  })

  const [seconds, code] = vectors[3]
  const step = totpStep(seconds * 1000)

  test.each([-1, 0, 1])('is accepted %i steps from its own', (steps) => {
    const now = (seconds - steps * 30) * 1000
    expect(acceptedStep(secret, code, { now, lastStep: 0 })).toBe(step)
  })

  test.each([-2, 2])('is wrong %i steps from its own', (steps) => {
    const now = (seconds - steps * 30) * 1000
    expect(acceptedStep(secret, code, { now, lastStep: 0 })).toBeUndefined()
  })

  test('is not accepted again, nor is one of an earlier step', () => {
    const now = seconds * 1000
    expect(acceptedStep(secret, code, { now, lastStep: step - 1 })).toBe(step)
    for (const lastStep of [step, step + 1])
      expect(acceptedStep(secret, code, { now, lastStep })).toBeUndefined()
  })

  test.each(['', '00592', '0059240', '00592a', '٠٠٥٩٢٤'])('is six digits: %j is wrong', (wrong) => {
    expect(acceptedStep(secret, wrong, { now: seconds * 1000, lastStep: 0 })).toBeUndefined()
  })
})

test('a new secret has 160 random bits', () => {
  const secrets = Array.from({ length: 100 }, () => newTotpSecret())
  expect(new Set(secrets).size).toBe(100)
  for (const one of secrets) expect(Secret.fromBase32(one).bytes).toHaveLength(20)
})

test('the URI names product and address, and its QR code is an SVG without script', () => {
  const { uri, qrSvg } = describeTotp(secret, { product: 'Ada & Co', email: 'ada+x@example.com' })
  expect(URI.parse(uri)).toMatchObject({
    issuer: 'Ada & Co',
    label: 'ada+x@example.com',
    algorithm: 'SHA1',
    digits: 6,
    period: 30,
  })
  expect(uri).toContain(`secret=${secret}`)
  expect(qrSvg).toMatch(/^<svg /)
  expect(qrSvg).not.toMatch(/<script|href|url\(/)
})
