import { generateKey } from '../../../shared/auth/jwk.ts'
import { importNodeSigner } from '../../../shared/node/keys.ts'

/**
 * A signing key of the bench's own: signing costs the same with it, and no key of the database has
 * a part in it.
 */
export async function createOneKey() {
  const { privateJwk } = await generateKey()
  const signer = await importNodeSigner(privateJwk)
  return { signing: () => signer }
}
