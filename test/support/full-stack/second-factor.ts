import { HOTP, Secret } from 'otpauth'
import { bearer, type FullStack } from './full-stack.ts'

/** The code of an authenticator app, some time steps from now. */
export const totpCodeOf = (secret: string, steps = 0) =>
  HOTP.generate({ secret: Secret.fromBase32(secret), counter: Math.floor(Date.now() / 30_000) + steps })

/** A code that none of the accepted time steps has. */
export function wrongCodeOf(secret: string): string {
  const right = [-2, -1, 0, 1, 2].map((steps) => totpCodeOf(secret, steps))
  const wrong = Array.from({ length: 6 }, (_, digit) => String(digit).repeat(6))
  return wrong.find((code) => !right.includes(code)) ?? '999999'
}

interface AuthenticatorApp {
  secret: string
  recoveryCodes: string[]
  /** Of the session that added it, with two factors. */
  accessToken: string
}

/** Adds an authenticator app to the account of an access token. */
export async function addTotp(fullStack: FullStack, accessToken: string): Promise<AuthenticatorApp> {
  const headers = bearer(accessToken)
  const enrolled = await fullStack.call('/auth/factors/totp', { method: 'POST', headers })
  if (enrolled.status !== 200)
    throw new Error(`enrolment answered ${enrolled.status}: ${await enrolled.text()}`)
  const { secret } = (await enrolled.json()) as { secret: string }
  const confirmed = await fullStack.post(
    '/auth/factors/totp/confirm',
    { code: totpCodeOf(secret) },
    { headers },
  )
  if (confirmed.status !== 200)
    throw new Error(`confirmation answered ${confirmed.status}: ${await confirmed.text()}`)
  const body = (await confirmed.json()) as { recovery_codes: string[]; access_token: string }
  return { secret, recoveryCodes: body.recovery_codes, accessToken: body.access_token }
}

/** Registers an account that has an authenticator app, all of whose codes are unused. */
export async function signUpWithTotp(fullStack: FullStack, email: string) {
  const account = await fullStack.signUp(email)
  const app = await addTotp(fullStack, account.tokens.access_token)
  await resetTotpSteps(fullStack, email)
  return { ...account, ...app }
}

/** Makes codes that were used work once more. */
export async function resetTotpSteps(fullStack: FullStack, email: string): Promise<void> {
  await fullStack.sql`
    update totp_secrets set last_step = 0 where user_id = (select id from user_accounts where email = ${email})`
}
