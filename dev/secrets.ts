import { randomBytes } from 'node:crypto'
import { generateKey } from '../shared/keys.ts'

/** The secrets of one deployment, as the variables that carry them. */
export type Secrets = Record<
  'ASSERTION_PRIVATE_JWK' | 'ASSERTION_PUBLIC_JWKS' | 'KEY_ENCRYPTION_KEY' | 'PASSWORD_DIGEST_KEY',
  string
>

export async function generateSecrets(): Promise<Secrets> {
  const { publicJwk, privateJwk } = await generateKey()
  return {
    ASSERTION_PRIVATE_JWK: JSON.stringify(privateJwk),
    ASSERTION_PUBLIC_JWKS: JSON.stringify({ keys: [publicJwk] }),
    KEY_ENCRYPTION_KEY: randomBytes(32).toString('base64'),
    PASSWORD_DIGEST_KEY: randomBytes(32).toString('base64'),
  }
}

if (import.meta.main) {
  for (const [name, value] of Object.entries(await generateSecrets()))
    process.stdout.write(`${name}='${value}'\n`)
}
