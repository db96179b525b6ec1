import { accessTokenType, algorithm, frontendClient } from '../../shared/auth/claims.ts'
import { maxTokenLength } from '../../shared/auth/verify-access-token.ts'
import { maxEmailLength } from '../../shared/lib/email.ts'
import type { Catalogue, Plan, Role } from './catalogue.ts'

/** The largest access token that a catalogue leads to. */
export interface TokenSize {
  /** Of the whole token, in base64url: as many bytes. */
  characters: number
  /** A gateway rejects a longer token. */
  limit: number
  role: string
  plan: string
}

/** Room for claims that no catalogue has: the longest ISSUER_URL, audience and key id. */
const issuerLength = 200
const audienceLength = 64
const keyIdLength = 64

/** Digits of the largest epoch and of a time, 32 bits and ten digits of seconds. */
const largestEpoch = 2_147_483_647
const largestTime = 9_999_999_999

const signatureLength = 86

const base64Length = (bytes: number) => Math.ceil((bytes * 4) / 3)
const jsonBase64Length = (value: object) => base64Length(Buffer.byteLength(JSON.stringify(value)))

const roleClaims = ({ name, level, permissions }: Role) => ({ role: name, level, permissions })
const planClaims = ({ name, features, apiQuotaPerHour }: Plan) => ({
  plan: name,
  features,
  quota: apiQuotaPerHour,
})

/**
 * The largest access token of any role and plan together, with the longest address, an ISSUER_URL
 * of 200 characters and an audience of 64. The claims of a role do not depend on the plan, so the
 * largest of each make the largest token.
 */
export function largestToken({ roles, plans }: Pick<Catalogue, 'roles' | 'plans'>): TokenSize {
  const role = largestOf(roles, roleClaims)
  const plan = largestOf(plans, planClaims)
  const id = crypto.randomUUID()
  const claims = {
    email: 'x'.repeat(maxEmailLength),
    ...(role && roleClaims(role)),
    ...(plan && planClaims(plan)),
    epoch: { user: largestEpoch, role: largestEpoch, plan: largestEpoch },
    amr: ['pwd', 'otp', 'mfa'],
    acr: 'aal2',
    auth_time: largestTime,
    iss: 'x'.repeat(issuerLength),
    aud: 'x'.repeat(audienceLength),
    sub: id,
    sid: id,
    client_id: frontendClient,
    jti: id,
    iat: largestTime,
    exp: largestTime,
  }
  const header = { alg: algorithm, kid: 'x'.repeat(keyIdLength), typ: accessTokenType }
  const characters = jsonBase64Length(header) + jsonBase64Length(claims) + signatureLength + 2
  return { characters, limit: maxTokenLength, role: role?.name ?? '', plan: plan?.name ?? '' }
}

function largestOf<Item>(items: readonly Item[], claimsOf: (item: Item) => object): Item | undefined {
  return items
    .map((item) => ({ item, size: JSON.stringify(claimsOf(item)).length }))
    .toSorted((one, other) => other.size - one.size)[0]?.item
}
