import type { ApiKeyExchanged } from '../../shared/contract.ts'
import type { Queryable } from '../db/types.ts'
import type { AccessTokens } from '../sessions/access-tokens.ts'
import { selectApiKeyByHash } from './queries.ts'
import { apiKeyFeature, grantedPermissions } from './rules.ts'

interface ExchangeOptions {
  sql: Queryable
  accessTokens: AccessTokens
}

/** A key proves no authentication of its owner: `auth_time` is the epoch. */
const byKey = { amr: [], acr: 'aal1', authTime: 0, secondsSinceAuthTime: 0 } as const

export type ExchangeApiKey = ReturnType<typeof createApiKeyExchange>

/**
 * Exchanges an API key for an access token with the rights that key and owner both have at this
 * moment. The key's id is the token's session, and the epochs are the owner's: whatever revokes the
 * tokens of a user revokes those of the user's keys, and the revocation of a key is that of a
 * session.
 */
export function createApiKeyExchange({ sql, accessTokens }: ExchangeOptions) {
  /** @param hash SHA-256 of the key */
  return async function exchangeApiKey(hash: Uint8Array): Promise<ApiKeyExchanged> {
    const key = await selectApiKeyByHash(sql, hash)
    if (!key) return { kind: 'unknown' }
    if (!key.features.includes(apiKeyFeature))
      return { kind: 'feature_required', feature: apiKeyFeature, plan: key.plan }
    const { keyId, keyPermissions, keySecondsLeft, networks, ...owner } = key
    const { token } = await accessTokens.sign({
      ...owner,
      permissions: grantedPermissions(keyPermissions, owner),
      sessionId: keyId,
      sessionSecondsLeft: keySecondsLeft,
      ...byKey,
    })
    return { kind: 'token', key_id: keyId, access_token: token, networks }
  }
}
