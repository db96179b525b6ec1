import type { Log } from '../../shared/lib/log.ts'
import type { OriginConfig } from '../config.ts'
import type { Sql } from '../db/types.ts'
import type { SessionService } from '../sessions/service.ts'
import { createIssuerKey } from './issuer-keys.ts'
import { createLegacyExchange, type ExchangeKind } from './service.ts'
import { createLegacyTokenVerifier } from './verify-legacy-token.ts'

interface Dependencies {
  sql: Sql
  sessions: Pick<SessionService, 'open' | 'createTokenResponse'>
  onExchange: (kind: ExchangeKind) => void
  log: Log
}

/**
 * The exchange of tokens of the configured issuers. Without one, no token is valid.
 *
 * @throws ConfigError for a key that its algorithm cannot use
 */
export async function createConfiguredExchange(
  config: Pick<OriginConfig, 'LEGACY_ISSUERS' | 'LEGACY_ISSUER_SECRETS' | 'REQUIRE_VERIFIED_EMAIL'>,
  { sql, sessions, onExchange, log }: Dependencies,
) {
  const issuers = await Promise.all(
    config.LEGACY_ISSUERS.map(async (issuer) => ({
      issuer,
      key: await createIssuerKey(issuer, {
        secrets: config.LEGACY_ISSUER_SECRETS,
        onReadFailed: (err) =>
          log.warn({ err, issuer: issuer.issuer }, 'key set of a former system not read'),
      }),
    })),
  )
  return createLegacyExchange({
    sql,
    sessions,
    verify: createLegacyTokenVerifier({ issuers }),
    requireVerifiedEmail: config.REQUIRE_VERIFIED_EMAIL,
    onExchange,
  })
}
