import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateSecrets, type Secrets } from '../../dev/secrets.ts'

/**
 * `npm run secrets:kubernetes -- FOLDER`: a fresh set of secrets as the files that an overlay's
 * secretGenerator reads.
 */

/** URLs of the stores, with passwords in them: only the operator has them. */
const urls = ['DATABASE_URL', 'REDIS_URL', 'SMTP_URL'] as const

type Url = (typeof urls)[number]

/**
 * Each workload gets what it needs and no more: who breaks into a gateway finds no key of the
 * origin's.
 */
const holders: Record<string, readonly (keyof Secrets | Url)[]> = {
  gateway: ['ASSERTION_PRIVATE_JWK', 'REDIS_URL'],
  origin: [
    'ASSERTION_PUBLIC_JWKS',
    'KEY_ENCRYPTION_KEY',
    'PASSWORD_DIGEST_KEY',
    'REFRESH_TOKEN_KEY',
    'DEVICE_COOKIE_KEY',
    ...urls,
  ],
  prepare: ['DATABASE_URL', 'KEY_ENCRYPTION_KEY'],
  reports: ['ASSERTION_PUBLIC_JWKS'],
}

/**
 * @throws Error where a file is there already: it may hold the only copy of a key that data depends
 *   on
 */
export async function writeSecretFiles(folder: string, given: Record<Url, string>): Promise<void> {
  const values = { ...(await generateSecrets()), ...given }
  await mkdir(folder, { recursive: true })
  for (const [holder, names] of Object.entries(holders)) {
    const lines = names.map((name) => `${name}=${values[name]}\n`)
    await writeFile(join(folder, `${holder}.env`), lines.join(''), { flag: 'wx', mode: 0o600 })
  }
}

if (import.meta.main) {
  const [folder] = process.argv.slice(2)
  const { DATABASE_URL, REDIS_URL, SMTP_URL } = process.env
  if (!folder || !DATABASE_URL || !REDIS_URL || !SMTP_URL) {
    process.stderr.write(
      `Usage: ${urls.map((name) => `${name}=...`).join(' ')} npm run secrets:kubernetes -- FOLDER\n`,
    )
    process.exit(64)
  }
  await writeSecretFiles(folder, { DATABASE_URL, REDIS_URL, SMTP_URL })
}
