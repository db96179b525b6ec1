import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { generateSecrets } from '../../dev/secrets.ts'
import { clientIdleSeconds } from '../../gateway/adapters/node/node-server.ts'
import { gatewayVariables } from '../../gateway/config.ts'
import type { LoginKind } from '../../origin/auth/rules.ts'
import { originVariables } from '../../origin/config.ts'
import { readConfig, type VariableName } from '../../shared/config.ts'
import { environmentOf, readDockerfile, stepsOf } from '../dockerfile.ts'
import { examples, readExample } from './installations/examples.ts'
import { failedLogins } from './stacks/metrics.ts'
import { collectorConfiguration } from './tasks/collector.ts'
import { databaseEnvironment, gatewayEnvironment, originEnvironment } from './tasks/environment.ts'
import { ports, times } from './times.ts'

const urls = {
  databaseUrl: 'postgres://db.internal:5432/gatehouse?sslmode=verify-full&sslrootcert=/app/deploy/rds-ca.pem',
  cacheUrl: 'rediss://cache.internal:6379',
}
const secrets = await generateSecrets()
const login = (prefix: string) => ({
  [`${prefix}_USER`]: 'gatehouse',
  [`${prefix}_PASSWORD`]: 'p@ss/w?rd#1-of-a-task',
})
const imageOf = (target: string) => environmentOf(stepsOf(readDockerfile('Dockerfile'), target))

/** Variables of OpenTelemetry, which its own code reads. */
const isOurs = (name: string) => !name.startsWith('OTEL_')

describe.each(examples)('tasks of %s.yaml', (name) => {
  const installation = readExample(name)

  const tasks = {
    gateway: {
      variables: gatewayVariables as readonly VariableName[],
      image: 'gateway',
      environment: gatewayEnvironment(installation, urls),
      given: { ASSERTION_PRIVATE_JWK: secrets.ASSERTION_PRIVATE_JWK, ...login('REDIS') },
    },
    origin: {
      variables: originVariables as readonly VariableName[],
      image: 'origin',
      environment: originEnvironment(installation, urls),
      given: {
        ASSERTION_PUBLIC_JWKS: secrets.ASSERTION_PUBLIC_JWKS,
        PASSWORD_DIGEST_KEY: secrets.PASSWORD_DIGEST_KEY,
        REFRESH_TOKEN_KEY: secrets.REFRESH_TOKEN_KEY,
        DEVICE_COOKIE_KEY: secrets.DEVICE_COOKIE_KEY,
        KEY_ENCRYPTION_KEY: secrets.KEY_ENCRYPTION_KEY,
        ...login('DATABASE'),
        ...login('REDIS'),
        ...login('SMTP'),
      },
    },
    roles: {
      variables: [
        ...(['NODE_ENV', 'DATABASE_URL', 'DATABASE_POOLER'] as const),
        ...(['DATABASE_OWNER_USER', 'DATABASE_OWNER_PASSWORD'] as const),
        ...(['DATABASE_ORIGIN_USER', 'DATABASE_ORIGIN_PASSWORD'] as const),
      ],
      image: 'command',
      environment: databaseEnvironment(installation, urls),
      given: { ...login('DATABASE'), ...login('DATABASE_OWNER'), ...login('DATABASE_ORIGIN') },
    },
    prepare: {
      variables: ['NODE_ENV', 'DATABASE_URL', 'DATABASE_POOLER', 'KEY_ENCRYPTION_KEY'] as const,
      image: 'command',
      environment: databaseEnvironment(installation, urls),
      given: { KEY_ENCRYPTION_KEY: secrets.KEY_ENCRYPTION_KEY, ...login('DATABASE') },
    },
  }

  test.each(Object.keys(tasks) as (keyof typeof tasks)[])(
    'have a configuration that production takes, and nothing that it has no use for: %s',
    (task) => {
      const { variables, image, environment, given } = tasks[task]
      const all = { ...imageOf(image), ...environment, ...given }
      expect(() => readConfig(variables, all)).not.toThrow()
      const unused = Object.keys(environment).filter(
        (each) => isOurs(each) && !(variables as readonly string[]).includes(each),
      )
      expect(unused).toEqual([])
    },
  )

  test('agree between gateway and origin', () => {
    const { gateway, origin } = tasks
    for (const each of ['ISSUER_URL', 'CORS_ORIGINS', 'REDIS_URL', 'UPGRADE_URL', 'PRODUCT_NAME'] as const)
      expect(gateway.environment[each]).toBe(origin.environment[each])
  })
})

test('the alarm of failed logins counts each way in which the origin says that a login failed', () => {
  const every: Record<Exclude<LoginKind, 'succeeded' | 'mfa_required'>, true> = {
    unknown_account: true,
    account_locked: true,
    wrong_password: true,
    account_disabled: true,
    email_unverified: true,
    wrong_code: true,
  }
  expect([...failedLogins]).toEqual(Object.keys(every))
})

/** A metric that is renamed would silence its alarm. */
test.each(['gateway', 'origin'] as const)(
  'the collector keeps metrics that docs/monitoring.md names: %s',
  (service) => {
    const page = readFileSync(new URL('../../docs/monitoring.md', import.meta.url), 'utf8')
    const exported = [...page.matchAll(/^\| `(\w+)` \|/gm)].map(([, name = '']) => name)
    const { exporters } = parse(collectorConfiguration(service, 'us-east-1', '/gatehouse/metrics'))
    const selectors: string[] = exporters.awsemf.metric_declarations.flatMap(
      ({ metric_name_selectors }: { metric_name_selectors: string[] }) => metric_name_selectors,
    )
    expect(selectors.length).toBeGreaterThan(3)
    const unknown = selectors.filter(
      (selector) =>
        !exported.concat('nodejs_eventloop_lag_p99_seconds').some((name) => new RegExp(selector).test(name)),
    )
    expect(unknown).toEqual([])
  },
)

describe('times around a task', () => {
  test('give a service longer to stop than it drains, within the 120 s of Fargate', () => {
    const { DRAIN_DELAY_SECONDS, DRAIN_SECONDS } = readConfig(
      ['DRAIN_DELAY_SECONDS', 'DRAIN_SECONDS'],
      gatewayEnvironment(readExample('example'), urls),
    )
    expect([times.drainDelay, times.drain]).toEqual([DRAIN_DELAY_SECONDS, DRAIN_SECONDS])
    expect(times.stop).toBeGreaterThan(DRAIN_DELAY_SECONDS + DRAIN_SECONDS)
    expect(times.stop).toBeLessThanOrEqual(120)
  })

  test('leave requests under way to end when a target goes', () => {
    expect(times.deregistration).toBeGreaterThanOrEqual(times.drain)
  })

  test('let the balancer close idle connections before the gateway does', () => {
    expect(times.balancerIdle).toBeLessThan(clientIdleSeconds)
  })

  test('ask for health at the ports of the images', () => {
    expect(imageOf('gateway')).toMatchObject({
      GATEWAY_PORT: String(ports.gateway),
      GATEWAY_METRICS_PORT: String(ports.gatewayMetrics),
    })
    expect(imageOf('origin')).toMatchObject({
      ORIGIN_PORT: String(ports.origin),
      ORIGIN_METRICS_PORT: String(ports.originMetrics),
    })
  })
})
