import { createPublicKey } from 'node:crypto'
import jwt from 'jsonwebtoken'
import { sql } from './database.js'

/** The part that the migration adds: callers that the gateway or an access token of it names. */

const { ASSERTION_PUBLIC_JWKS, ISSUER_URL, ORIGIN_URL, MONOLITH_CLIENT_SECRET } = process.env

const assertionKeys = ASSERTION_PUBLIC_JWKS ? JSON.parse(ASSERTION_PUBLIC_JWKS).keys : []

/** Before the migration the shop knows no gateway, and its header means nothing. */
export const knowsGateway = assertionKeys.length > 0

function verify(token, keys, { typ, ...expected }) {
  const { kid, typ: found } = jwt.decode(token, { complete: true })?.header ?? {}
  const key = keys.find((each) => each.kid === kid)
  if (!key || found !== typ) return undefined
  try {
    return jwt.verify(token, createPublicKey({ key, format: 'jwk' }), { algorithms: ['ES256'], ...expected })
  } catch {
    return undefined
  }
}

/** @returns the payload of the gateway's assertion, whose `user` is null on a public route */
export const readAssertion = (token) =>
  verify(token, assertionKeys, {
    typ: 'gatehouse-assertion+jwt',
    issuer: 'gatehouse-gateway',
    audience: 'monolith',
    clockTolerance: 30,
  })

let accessTokenKeys = []
/** The keys change every few weeks: a forged token must not cause a read each time. */
const keyPauseMs = 30_000
let keysReadAt = Number.NEGATIVE_INFINITY

/**
 * An access token, on a route that the gateway does not protect yet. It lives for 15 minutes; that
 * its session has ended is not known here.
 */
export async function readAccessToken(token) {
  const expected = { typ: 'at+jwt', issuer: ISSUER_URL, audience: 'gatehouse', clockTolerance: 5 }
  const known = verify(token, accessTokenKeys, expected)
  if (known || !ISSUER_URL || Date.now() - keysReadAt < keyPauseMs) return known
  const response = await fetch(`${ISSUER_URL}/.well-known/jwks.json`)
  // A failure inside is a 500: a 401 would log people out.
  if (!response.ok) throw new Error(`the keys of Gatehouse answered ${response.status}`)
  accessTokenKeys = (await response.json()).keys
  keysReadAt = Date.now()
  return verify(token, accessTokenKeys, expected)
}

/**
 * The number of the user that an account of Gatehouse is: asked once, when the account calls for
 * the first time. An address would not do, since addresses change hands.
 */
export async function userIdOf({ sub }) {
  const [known] = await sql`select id from users where gatehouse_id = ${sub}`
  if (known) return known.id
  const formerId = await readFormerId(sub)
  const [user] =
    formerId === undefined
      ? await sql`
          insert into users (gatehouse_id) values (${sub})
          on conflict (gatehouse_id) do update set gatehouse_id = excluded.gatehouse_id
          returning id`
      : await sql`update users set gatehouse_id = ${sub} where id = ${formerId} returning id`
  return user.id
}

/** The number that the export wrote into the metadata of the account. */
async function readFormerId(sub) {
  const { access_token: token } = await ask('/oauth/token', {
    method: 'POST',
    headers: { authorization: `Basic ${btoa(`monolith:${MONOLITH_CLIENT_SECRET}`)}` },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  const { product_metadata: metadata } = await ask(`/internal/users/${sub}/metadata`, {
    headers: { authorization: `Bearer ${token}` },
  })
  return metadata.monolith_id
}

async function ask(path, init) {
  const response = await fetch(ORIGIN_URL + path, init)
  if (!response.ok) throw new Error(`${path} answered ${response.status}`)
  return response.json()
}
