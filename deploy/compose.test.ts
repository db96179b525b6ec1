import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { generateSecrets } from '../dev/secrets.ts'
import { gatewayVariables } from '../gateway/config.ts'
import { compilePolicyWithFile } from '../gateway/policy/policy-file.ts'
import { routes } from '../gateway/routes.ts'
import { originVariables } from '../origin/config.ts'
import { readConfig, type VariableName } from '../shared/config.ts'
import { readComposeFile } from './compose-file.ts'
import { environmentOf, readDockerfile, stepsOf } from './dockerfile.ts'

const secrets = { ...(await generateSecrets()), POSTGRES_PASSWORD: 'correct-horse' }
const { services, networks } = readComposeFile('docker-compose.yml', secrets)
const service = (name: string) => services[name] as (typeof services)[string]

const dockerfile = readDockerfile('Dockerfile')
const ours = Object.keys(services).filter((name) => service(name).build)

const variablesOf: Record<string, readonly VariableName[]> = {
  gateway: gatewayVariables,
  origin: originVariables,
  reports: [
    'HOST',
    'LOG_LEVEL',
    'REPORTS_PORT',
    'DRAIN_SECONDS',
    'DRAIN_DELAY_SECONDS',
    'ASSERTION_PUBLIC_JWKS',
  ],
  migrate: ['NODE_ENV', 'DATABASE_URL'],
  'first-key': ['NODE_ENV', 'DATABASE_URL', 'KEY_ENCRYPTION_KEY'],
}

describe('docker-compose.yml', () => {
  test.each(ours)('gives %s a configuration that production accepts, without unused variables', (name) => {
    const { environment = {}, build } = service(name)
    const variables = variablesOf[name] ?? []
    const image = environmentOf(stepsOf(dockerfile, build?.target ?? ''))
    expect(() => readConfig(variables, { ...image, ...environment }, Object.keys(environment))).not.toThrow()
    expect(Object.keys(environment).filter((given) => !variables.includes(given as VariableName))).toEqual([])
  })

  test('mounts a policy file that the gateway accepts', () => {
    const { environment = {}, volumes = [] } = service('gateway')
    const { UPSTREAMS } = readConfig(['UPSTREAMS'], environment)
    const [source = '', target] = volumes[0]?.split(':') ?? []
    expect(target).toBe(environment.POLICY_FILE)
    const file = { name: source, text: readFileSync(source, 'utf8') }
    expect(() => compilePolicyWithFile(routes, file, ['origin', ...Object.keys(UPSTREAMS)])).not.toThrow()
  })

  test('demands each secret, by name', () => {
    for (const name of Object.keys(secrets))
      expect(() => readComposeFile('docker-compose.yml', { ...secrets, [name]: undefined })).toThrow(
        `${name} is not in the env file`,
      )
  })

  test('publishes the gateway alone; pages for people are for this machine', () => {
    const published = Object.keys(services).filter((name) => service(name).ports && !service(name).profiles)
    expect(published).toEqual(['gateway'])
    for (const { ports = [] } of Object.values(services))
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/)
  })

  test('gives the gateway no access to the database', () => {
    const onNetwork = (network: string) =>
      Object.keys(services).filter((name) => service(name).networks.includes(network))
    expect(onNetwork('data').toSorted()).toEqual(['first-key', 'migrate', 'origin', 'postgres'])
    expect(onNetwork('edge').filter((name) => !service(name).profiles)).toEqual(['gateway'])
    expect(networks).toMatchObject({ data: { internal: true }, inner: { internal: true } })
  })

  test('waits longer for a service to stop than the service lets requests end', () => {
    const { DRAIN_DELAY_SECONDS, DRAIN_SECONDS } = readConfig(['DRAIN_DELAY_SECONDS', 'DRAIN_SECONDS'], {})
    for (const name of ours)
      expect(Number.parseInt(service(name).stop_grace_period ?? '0', 10)).toBeGreaterThan(
        DRAIN_DELAY_SECONDS + DRAIN_SECONDS,
      )
  })

  // An engine makes an empty folder of what is missing, and says nothing.
  test('mounts what is there', () => {
    const mounted = Object.values(services)
      .flatMap(({ volumes = [] }) => volumes.map((volume) => volume.split(':')[0] ?? ''))
      .filter((path) => path.startsWith('.'))
    expect(mounted.length).toBeGreaterThan(2)
    expect(mounted.filter((path) => !existsSync(path))).toEqual([])
  })

  test('restricts every container of this project', () => {
    for (const name of ours)
      expect(service(name)).toMatchObject({
        read_only: true,
        cap_drop: ['ALL'],
        security_opt: ['no-new-privileges:true'],
      })
  })
})
