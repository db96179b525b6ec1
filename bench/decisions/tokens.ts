import { hash } from 'node:crypto'
import { importJWK, jwtVerify, SignJWT } from 'jose'
import { createAssertionSigner } from '../../gateway/tokens/assertion-signer.ts'
import { createTokenVerifier } from '../../gateway/tokens/token-verifier.ts'
import { accessTokenType, algorithm } from '../../shared/auth/claims.ts'
import { generateKey, importWebVerifier } from '../../shared/auth/jwk.ts'
import { importNodeSigner, importNodeVerifier } from '../../shared/node/keys.ts'
import { issuerUrl, user } from '../gateway/environment/tokens.ts'
import { printCosts } from './processor-cost.ts'

/** The cost to verify an access token and to sign an assertion. */

const audience = 'gatehouse'
const address = '192.0.2.1'
const { publicJwk, privateJwk } = await generateKey()
const key = await importJWK(privateJwk, algorithm)
const claims = { ...user(1), aud: audience, client_id: audience, iat: Math.floor(Date.now() / 1000) }
const token = await new SignJWT(claims)
  .setProtectedHeader({ alg: algorithm, kid: publicJwk.kid, typ: accessTokenType })
  .sign(key)

const verifierWith = async (importVerifier: typeof importWebVerifier) => {
  const verify = await importVerifier(publicJwk)
  return createTokenVerifier({
    keys: { find: () => verify },
    issuer: issuerUrl,
    audience,
    recheckSeconds: 300,
    now: Date.now,
    digest: (text) => hash('sha256', text, 'latin1'),
  })
}
const onNode = await verifierWith(importNodeVerifier)
const onWeb = await verifierWith(importWebVerifier)
const publicKey = await importJWK(publicJwk, algorithm)
const expected = { algorithms: [algorithm], typ: accessTokenType, issuer: issuerUrl, audience }

const signer = await importNodeSigner(privateJwk)
const caller = await onNode.verify(token, address)
const assertionFor = createAssertionSigner({ signer, now: Date.now })

process.stdout.write('Verification of one ES256 access token\n')
await printCosts(
  [
    { name: 'jose jwtVerify', work: () => jwtVerify(token, publicKey, expected) },
    { name: 'own verification over WebCrypto', work: () => onWeb.verify(token, address) },
    { name: 'own verification over node:crypto', work: () => onNode.verify(token, address) },
  ],
  { times: 2000, concurrent: 1 },
)
await printCosts([{ name: 'a token verified before', work: () => onNode.lookup(token) }], {
  times: 2_000_000,
  concurrent: 1,
})

process.stdout.write('Assertion for one upstream\n')
await printCosts(
  [{ name: 'signed', work: () => assertionFor({ ...caller, assertion: undefined }, 'reports') }],
  { times: 2000, concurrent: 1 },
)
await printCosts([{ name: 'signed before for this token', work: () => assertionFor(caller, 'reports') }], {
  times: 2_000_000,
  concurrent: 1,
})
