import { generateKey, importKey } from '../../../shared/auth/jwk.ts'

/**
 * A signing key of the bench's own: signing costs the same with it, and no key of the database has
 * a part in it.
 */
export async function createOneKey() {
  const { privateJwk } = await generateKey()
  const key = await importKey(privateJwk)
  return { signing: () => key }
}
