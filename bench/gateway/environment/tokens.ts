import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Issuer } from '../../../test/support/gateway/issuer.ts'

/**
 * Tokens as they are signed for subscribers of a plan in the middle, in files that the load reads,
 * a line each.
 */
export interface TokenFiles {
  /** One for each user. */
  known: string
  /** API keys, one for each user. */
  keys: string
  /** Another one for the user of the same line, counted round and round. */
  fresh: string
  freshCount: number
}

/** Longer than the bench. */
const lifeSeconds = 6 * 3600

/** Signed at once: the thread pool's worth, and some that wait. */
const batch = 64

/** A quota that no measured user reaches, and the highest that a plan may have. */
const quota = 100_000_000

export const issuerUrl = 'https://gateway.example'

/** Claims of one of the bench's users. */
export const user = (number: number) => ({
  iss: issuerUrl,
  sub: `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`,
  sid: crypto.randomUUID(),
  jti: crypto.randomUUID(),
  email: `user-${String(number).padStart(6, '0')}@example.com`,
  role: 'subscriber',
  level: 50,
  permissions: ['analytics.read', 'dashboard.read', 'profile.read', 'profile.write', 'reports.export'],
  plan: 'pro',
  features: [
    'advanced_analytics',
    'api_access',
    'basic_dashboard',
    'custom_reports',
    'data_export',
    'email_notifications',
    'email_support',
    'premium_dashboard',
    'profile_customization',
    'webhooks',
  ],
  quota,
  epoch: { user: 0, role: 0, plan: 0 },
  amr: ['pwd'],
  acr: 'aal1' as const,
  auth_time: Math.floor(Date.now() / 1000),
  exp: Math.floor(Date.now() / 1000) + lifeSeconds,
})

export async function writeTokens(
  folder: string,
  issuer: Issuer,
  { users, freshCount, keys }: { users: number; freshCount: number; keys: string },
): Promise<TokenFiles> {
  async function write(name: string, count: number): Promise<string> {
    const file = join(folder, name)
    const tokens: string[] = []
    while (tokens.length < count) {
      const numbers = Array.from(
        { length: Math.min(batch, count - tokens.length) },
        (_, at) => tokens.length + at,
      )
      tokens.push(...(await Promise.all(numbers.map((number) => issuer.sign(user(number % users))))))
    }
    writeFileSync(file, tokens.join('\n'))
    return file
  }
  return { known: await write('known', users), keys, fresh: await write('fresh', freshCount), freshCount }
}
