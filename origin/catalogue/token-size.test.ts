import fc from 'fast-check'
import { expect, test } from 'vitest'
import { generateKey, importWebSigner } from '../../shared/auth/jwk.ts'
import { catalogues } from '../../test/support/catalogue/catalogues.ts'
import { byPassword, withCode } from '../factors/rules.ts'
import { createAccessTokens } from '../sessions/access-tokens.ts'
import { largestToken } from './token-size.ts'

const { privateJwk } = await generateKey()
const { sign } = await importWebSigner(privateJwk)

/** As the origin signs them, with the longest address, issuer, audience and key id that count. */
const accessTokens = createAccessTokens({
  keys: { signing: () => ({ kid: 'k'.repeat(64), sign }) },
  issuer: 'i'.repeat(200),
  audience: 'a'.repeat(64),
  lifeSeconds: 900,
  aal2Seconds: 900,
})

const epoch = { user: 2_147_483_647, role: 2_147_483_647, plan: 2_147_483_647 }

test('the largest token of a catalogue is the longest that the origin signs, to the character', async () => {
  await fc.assert(
    fc.asyncProperty(catalogues, async (catalogue) => {
      const size = largestToken(catalogue)
      const lengths: number[] = []
      for (const { name: role, level, permissions } of catalogue.roles)
        for (const { name: plan, features, apiQuotaPerHour: quota } of catalogue.plans) {
          const { token } = await accessTokens.sign({
            userId: crypto.randomUUID(),
            sessionId: crypto.randomUUID(),
            sessionSecondsLeft: 900,
            secondsLeft: null,
            email: 'e'.repeat(254),
            role,
            level,
            permissions,
            plan,
            features,
            quota,
            epoch,
            ...withCode(byPassword),
            authTime: 1_800_000_000,
            secondsSinceAuthTime: 0,
          })
          lengths.push(token.length)
          if (role === size.role && plan === size.plan) expect(token).toHaveLength(size.characters)
        }
      expect(Math.max(...lengths)).toBe(size.characters)
    }),
    { numRuns: 30 },
  )
})
