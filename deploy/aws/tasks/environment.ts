import type { Installation } from '../configuration.ts'
import { ports, times, trustedProxyHops } from '../times.ts'

/** Variables of each task, without secrets: a test reads them as production does. */

interface Urls {
  databaseUrl: string
  cacheUrl: string
}

const drain = {
  DRAIN_DELAY_SECONDS: String(times.drainDelay),
  DRAIN_SECONDS: String(times.drain),
}

const traces = {
  OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${ports.otlp}`,
  OTEL_TRACES_SAMPLER: 'parentbased_traceidratio',
  OTEL_TRACES_SAMPLER_ARG: '0.01',
}

const shared = (installation: Installation, { cacheUrl }: Urls) => ({
  NODE_ENV: 'production',
  // The collector scrapes within the task; nobody else reaches the metrics.
  METRICS_HOST: '127.0.0.1',
  ISSUER_URL: `https://${installation.domain}`,
  UPGRADE_URL: installation.upgradeUrl,
  CORS_ORIGINS: installation.corsOrigins.join(','),
  PRODUCT_NAME: installation.productName,
  REDIS_URL: cacheUrl,
  ...drain,
  ...traces,
})

export const gatewayEnvironment = (installation: Installation, urls: Urls) => ({
  ...shared(installation, urls),
  GATEWAY_REPLICAS: String(installation.gateway.min),
  GATEWAY_HOSTS: installation.domain,
  TRUSTED_PROXY_HOPS: String(trustedProxyHops),
  ORIGIN_URL: `http://origin:${ports.origin}`,
  UPSTREAMS: JSON.stringify(installation.upstreams),
  ...(installation.policyFile !== undefined && { POLICY_FILE: installation.policyFile }),
})

export const databaseEnvironment = (
  { database }: Installation,
  { databaseUrl }: Pick<Urls, 'databaseUrl'>,
) => ({
  NODE_ENV: 'production',
  DATABASE_URL: databaseUrl,
  DATABASE_POOLER: database.proxy ? 'transaction' : 'none',
})

export const originEnvironment = (installation: Installation, urls: Urls) => ({
  ...shared(installation, urls),
  ...databaseEnvironment(installation, urls),
  DATABASE_POOL_MAX: '20',
  FRONTEND_URL: installation.frontendUrl,
  SMTP_URL: `smtps://email-smtp.${installation.region}.amazonaws.com:${ports.mail}`,
  MAIL_FROM: installation.mail.from,
})

/** Mail goes to the simulator of SES, which accepts it and tells nobody. */
export const smokeEnvironment = ({ domain }: Installation) => ({
  GATEWAY_URL: `https://${domain}:${ports.testListener}`,
  K6_NO_USAGE_REPORT: 'true',
  SUMMARY_FILE: '/dev/null',
  SMOKE_ADDRESS: 'success@simulator.amazonses.com',
  SMOKE_REPORTS: 'false',
})
