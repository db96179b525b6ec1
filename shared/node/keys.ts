import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto'
import type { ImportSigner, ImportVerifier } from '../auth/jwk.ts'

/** The form of a signature in a JWS (RFC 7518, section 3.4). */
const dsaEncoding = 'ieee-p1363'

/**
 * WebCrypto does the same in its pool of threads, which takes more processor time than the
 * signature itself.
 */
export const importNodeVerifier: ImportVerifier = async (jwk) => {
  const key = createPublicKey({ key: jwk, format: 'jwk' })
  return (signed, signature) =>
    verify('sha256', Buffer.from(signed, 'latin1'), { key, dsaEncoding }, Buffer.from(signature, 'base64url'))
}

export const importNodeSigner: ImportSigner = async (jwk) => {
  const key = createPrivateKey({ key: jwk, format: 'jwk' })
  return {
    kid: jwk.kid,
    sign: (text) => sign('sha256', Buffer.from(text, 'latin1'), { key, dsaEncoding }).toString('base64url'),
  }
}
