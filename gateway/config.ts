import { ConfigError } from '../shared/config.ts'

export const gatewayVariables = [
  'NODE_ENV',
  'HOST',
  'LOG_LEVEL',
  'DRAIN_SECONDS',
  'ISSUER_URL',
  'ACCESS_TOKEN_AUDIENCE',
  'JWKS_CACHE_SECONDS',
  'GATEWAY_PORT',
  'GATEWAY_REPLICAS',
  'ORIGIN_URL',
  'REPORTS_URL',
  'REDIS_URL',
  'REDIS_KEY_PREFIX',
  'ASSERTION_PRIVATE_JWK',
  'CORS_ORIGINS',
  'TRUSTED_PROXY_HOPS',
  'LIMIT_ADDRESS_REQUESTS',
  'LIMIT_ADDRESS_SECONDS',
  'LIMIT_USER_SECONDS',
] as const

/** @throws ConfigError where several gateways would count apart without anyone having said so */
export function requireRedisInProduction(config: { NODE_ENV: string; REDIS_URL: string | undefined }): void {
  if (config.NODE_ENV === 'production' && !config.REDIS_URL) {
    throw new ConfigError(['REDIS_URL is missing: in production the gateways count together'])
  }
}
