import { randomBytes } from 'node:crypto'
import { generateKey } from '../shared/auth/jwk.ts'

type RandomKey = 'KEY_ENCRYPTION_KEY' | 'PASSWORD_DIGEST_KEY' | 'REFRESH_TOKEN_KEY' | 'DEVICE_COOKIE_KEY'

/** The secrets of one deployment, as the variables that carry them. */
export type Secrets = Record<'ASSERTION_PRIVATE_JWK' | 'ASSERTION_PUBLIC_JWKS' | RandomKey, string>

const randomKey = () => randomBytes(32).toString('base64')

export async function generateSecrets(): Promise<Secrets> {
  const { publicJwk, privateJwk } = await generateKey()
  return {
    ASSERTION_PRIVATE_JWK: JSON.stringify(privateJwk),
    ASSERTION_PUBLIC_JWKS: JSON.stringify({ keys: [publicJwk] }),
    KEY_ENCRYPTION_KEY: randomKey(),
    PASSWORD_DIGEST_KEY: randomKey(),
    REFRESH_TOKEN_KEY: randomKey(),
    DEVICE_COOKIE_KEY: randomKey(),
  }
}

if (import.meta.main) {
  for (const [name, value] of Object.entries(await generateSecrets()))
    process.stdout.write(`${name}='${value}'\n`)
}
