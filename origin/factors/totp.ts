import { timingSafeEqual } from 'node:crypto'
import { HOTP, Secret, TOTP } from 'otpauth'
import { renderSVG } from 'uqr'
import type { EpochMs } from '../../shared/lib/time.ts'

/** All authenticator apps support these (RFC 6238). */
const algorithm = 'SHA1'
const digits = 6
const period = 30

/** RFC 4226, section 4: 160 bits. */
const secretBytes = 20

/** A code of the step before or after is right, too: clocks differ, and typing takes time. */
const window = [0, -1, 1]

/** A new secret in base32. */
export const newTotpSecret = (): string => new Secret({ size: secretBytes }).base32

/** The time step of a moment. */
export const totpStep = (now: EpochMs): number => Math.floor(now / (period * 1000))

/**
 * The time step whose code this is.
 *
 * @param secret base32
 * @param lastStep the last step that was accepted; that and earlier ones are not accepted again
 * @returns undefined for a code that is wrong, or was used
 */
export function acceptedStep(
  secret: string,
  code: string,
  { now, lastStep }: { now: EpochMs; lastStep: number },
): number | undefined {
  const key = Secret.fromBase32(secret)
  const given = Buffer.from(code)
  const current = totpStep(now)
  let accepted: number | undefined
  // Each step is compared, so that the time does not tell which one is right.
  for (const offset of window) {
    const step = current + offset
    const expected = Buffer.from(HOTP.generate({ secret: key, algorithm, digits, counter: step }))
    const isRight = expected.length === given.length && timingSafeEqual(expected, given)
    if (isRight && step > lastStep) accepted ??= step
  }
  return accepted
}

/** The secret for authenticator apps: as a URI, and as the QR code of that URI. */
export function describeTotp(secret: string, { product, email }: { product: string; email: string }) {
  const uri = new TOTP({ issuer: product, label: email, algorithm, digits, period, secret }).toString()
  return { uri, qrSvg: renderSVG(uri, { border: 4 }) }
}
