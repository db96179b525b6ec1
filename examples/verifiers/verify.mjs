// Verifies assertions of the gateway by the document of its keys. Run:
//
//   node verify.mjs URL AUDIENCE
//
// It reads assertions, one a line, and writes for each the user as JSON (null where nobody is
// signed in) or the reason why it is rejected.
import { stdin, stdout } from 'node:process'
import { createInterface } from 'node:readline'
import { createRemoteJWKSet, jwtVerify } from 'jose'

const [url, audience] = process.argv.slice(2)

// Read at first use, again after ten minutes at the latest, and for a key id that is not known.
const keys = createRemoteJWKSet(new URL(url), { cacheMaxAge: 600_000 })

const expected = {
  algorithms: ['ES256'],
  typ: 'gatehouse-assertion+jwt',
  issuer: 'gatehouse-gateway',
  audience,
  requiredClaims: ['exp', 'iat'],
  maxTokenAge: 300,
  clockTolerance: 30,
}

async function verify(assertion) {
  const { payload } = await jwtVerify(assertion, keys, expected)
  return payload.user
}

for await (const line of createInterface({ input: stdin })) {
  const answer = await verify(line).then(JSON.stringify, (error) => `rejected: ${error.code}`)
  stdout.write(`${answer}\n`)
}
