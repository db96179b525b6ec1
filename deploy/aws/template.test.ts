import { App } from 'aws-cdk-lib'
import { Match, Template } from 'aws-cdk-lib/assertions'
import { beforeAll, describe, expect, test } from 'vitest'
import { createInstallation } from './create-installation.ts'
import { examples, readExample } from './installations/examples.ts'
import { secretIdOf } from './local/template-task.ts'
import { times } from './times.ts'

interface Resource {
  Type: string
  Properties: Record<string, unknown>
  DependsOn?: string[]
}

describe.each(examples)('the templates of %s.yaml', (name) => {
  const installation = readExample(name)
  let templates: Record<keyof ReturnType<typeof createInstallation>, Template>
  let resources: [string, Resource][]

  beforeAll(() => {
    const stacks = createInstallation(new App(), installation, '1.2.3')
    templates = Object.fromEntries(
      Object.entries(stacks).map(([stack, value]) => [stack, Template.fromStack(value)]),
    ) as typeof templates
    resources = Object.values(templates).flatMap(
      (template) => Object.entries(template.toJSON().Resources) as [string, Resource][],
    )
  })

  const allOf = (type: string) => resources.filter(([, { Type }]) => Type === type)
  const propertiesOf = (type: string) => allOf(type).map(([, { Properties }]) => Properties)

  test('keep the database private, in two zones, encrypted, with forced TLS and point-in-time recovery', () => {
    templates.data.hasResourceProperties('AWS::RDS::DBInstance', {
      PubliclyAccessible: false,
      MultiAZ: true,
      StorageEncrypted: true,
      DeletionProtection: true,
      BackupRetentionPeriod: installation.database.backupDays,
    })
    templates.data.hasResourceProperties('AWS::RDS::DBParameterGroup', {
      Parameters: Match.objectLike({ 'rds.force_ssl': '1' }),
    })
    expect(allOf('AWS::RDS::DBInstance')).toHaveLength(1)
  })

  test('put a proxy that requires TLS before the database where one is asked for', () => {
    const proxies = propertiesOf('AWS::RDS::DBProxy')
    expect(proxies).toHaveLength(installation.database.proxy ? 1 : 0)
    for (const proxy of proxies) expect(proxy).toMatchObject({ RequireTLS: true })
  })

  test('encrypt the cache at rest and on its way, with failover over zones', () => {
    expect(allOf('AWS::ElastiCache::ReplicationGroup')).toHaveLength(1)
    templates.data.hasResourceProperties('AWS::ElastiCache::ReplicationGroup', {
      AtRestEncryptionEnabled: true,
      TransitEncryptionEnabled: true,
      TransitEncryptionMode: 'required',
      AutomaticFailoverEnabled: true,
      MultiAZEnabled: true,
      NumNodeGroups: installation.cache.shards,
    })
    templates.data.hasResourceProperties('AWS::ElastiCache::ParameterGroup', {
      Properties: Match.objectLike({ 'maxmemory-policy': 'noeviction' }),
    })
  })

  test('admit clients at ports 80 and 443 of the balancer, and nobody from outside elsewhere', () => {
    const open = [
      ...propertiesOf('AWS::EC2::SecurityGroupIngress'),
      ...propertiesOf('AWS::EC2::SecurityGroup').flatMap(
        ({ SecurityGroupIngress = [] }) => SecurityGroupIngress as Record<string, unknown>[],
      ),
    ].filter(({ CidrIp, CidrIpv6 }) => CidrIp === '0.0.0.0/0' || CidrIpv6 !== undefined)
    expect(open.map(({ FromPort }) => FromPort).toSorted()).toEqual([443, 80])
  })

  test('give no task a public address', () => {
    const services = propertiesOf('AWS::ECS::Service')
    expect(services).toHaveLength(2)
    for (const { NetworkConfiguration } of services)
      expect(NetworkConfiguration).toMatchObject({ AwsvpcConfiguration: { AssignPublicIp: 'DISABLED' } })
  })

  test('serve TLS 1.2 and 1.3 alone, and redirect HTTP', () => {
    const listeners = propertiesOf('AWS::ElasticLoadBalancingV2::Listener')
    expect(listeners).toHaveLength(3)
    for (const { Protocol, SslPolicy, DefaultActions } of listeners)
      expect(Protocol === 'HTTP' ? DefaultActions : SslPolicy).toEqual(
        Protocol === 'HTTP'
          ? [{ Type: 'redirect', RedirectConfig: { Port: '443', Protocol: 'HTTPS', StatusCode: 'HTTP_301' } }]
          : expect.stringContaining('TLS13'),
      )
  })

  test('migrate before origins change, and origins before gateways', () => {
    const dependenciesOf = (fragment: string) =>
      allOf('AWS::ECS::Service').find(([id]) => id.startsWith(fragment))?.[1].DependsOn ?? []
    const [[prepare] = ['']] = allOf('Custom::OneOffTask')
    const origin = allOf('AWS::ECS::Service').find(([id]) => id.startsWith('Origin'))?.[0] ?? ''
    expect(dependenciesOf('Origin')).toContain(prepare)
    expect(dependenciesOf('Gateway')).toContain(origin)
  })

  test('scale gateways and origins within the bounds of the file', () => {
    const bounds = propertiesOf('AWS::ApplicationAutoScaling::ScalableTarget').map(
      ({ MinCapacity, MaxCapacity }) => [MinCapacity, MaxCapacity],
    )
    const { gateway, origin } = installation
    expect(bounds).toEqual(
      expect.arrayContaining([
        [gateway.min, gateway.max],
        [origin.min, origin.max],
      ]),
    )
    const policies = propertiesOf('AWS::ApplicationAutoScaling::ScalingPolicy')
    expect(JSON.stringify(policies)).toContain('ALBRequestCountPerTarget')
    expect(JSON.stringify(policies)).toContain('ECSServiceAverageCPUUtilization')
  })

  test('release gateways blue/green behind the smoke test, and origins with a circuit breaker', () => {
    expect(allOf('AWS::ECS::Service')).toHaveLength(2)
    templates.services.hasResourceProperties('AWS::ECS::Service', {
      ServiceName: 'gateway',
      DeploymentConfiguration: Match.objectLike({
        Strategy: 'BLUE_GREEN',
        LifecycleHooks: [Match.objectLike({ LifecycleStages: ['POST_TEST_TRAFFIC_SHIFT'] })],
        Alarms: { AlarmNames: [Match.anyValue(), Match.anyValue()], Enable: true, Rollback: true },
      }),
    })
    templates.services.hasResourceProperties('AWS::ECS::Service', {
      ServiceName: 'origin',
      DeploymentConfiguration: Match.objectLike({
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
      }),
    })
  })

  test('run each container of ours as user 1000 on a read-only file system, without capabilities', () => {
    const containers = propertiesOf('AWS::ECS::TaskDefinition').flatMap(
      ({ ContainerDefinitions }) => ContainerDefinitions as Record<string, unknown>[],
    )
    const ours = containers.filter(({ Name }) => Name !== 'collector')
    expect(ours.map(({ Name }) => Name).toSorted()).toEqual([
      'first-key',
      'gateway',
      'migrate',
      'origin',
      'roles',
      'smoke',
    ])
    for (const container of ours)
      expect(container).toMatchObject({
        User: '1000:1000',
        ReadonlyRootFilesystem: true,
        LinuxParameters: { Capabilities: { Drop: ['ALL'] }, InitProcessEnabled: true },
        StopTimeout: times.stop,
      })
  })

  test('raise the alarms of the requirements at their bounds', () => {
    const alarms = Object.fromEntries(
      propertiesOf('AWS::CloudWatch::Alarm').map(({ AlarmName, Threshold, EvaluationPeriods }) => [
        String(AlarmName).slice(installation.name.length + 1),
        [Threshold, EvaluationPeriods],
      ]),
    )
    expect(alarms).toMatchObject({
      errors: [1, 5],
      slow: [0.1, 5],
      pool: [90, 2],
      'failed-logins': [100, 1],
      'memory-gateway': [80, 10],
      'memory-origin': [80, 10],
    })
    for (const { AlarmName, AlarmActions = [] } of propertiesOf('AWS::CloudWatch::Alarm'))
      expect(AlarmActions).toHaveLength(String(AlarmName).includes('-release-') ? 0 : 1)
  })

  test('leave the number of tasks to the autoscaler', () => {
    const services = propertiesOf('AWS::ECS::Service')
    expect(services).toHaveLength(2)
    for (const service of services) expect(service).not.toHaveProperty('DesiredCount')
  })

  test('scan images, and never move a tag', () => {
    const repositories = propertiesOf('AWS::ECR::Repository')
    expect(repositories).toHaveLength(4)
    for (const repository of repositories)
      expect(repository).toMatchObject({
        ImageScanningConfiguration: { ScanOnPush: true },
        ImageTagMutability: 'IMMUTABLE',
      })
  })

  test('keep logs for the time of the file', () => {
    const groups = propertiesOf('AWS::Logs::LogGroup')
    expect(groups.length).toBeGreaterThan(5)
    for (const { RetentionInDays } of groups) expect(RetentionInDays).toBe(installation.logs.days)
  })

  test('keep database, cache users, keys and secrets when their stacks go', () => {
    for (const type of ['AWS::RDS::DBInstance', 'AWS::KMS::Key', 'AWS::SecretsManager::Secret'])
      for (const [, resource] of allOf(type)) expect(resource).toMatchObject({ DeletionPolicy: 'Retain' })
    expect(allOf('AWS::SecretsManager::Secret')).toHaveLength(8)
  })

  test('give each container the login at PostgreSQL that it needs: the master user makes roles alone', () => {
    const containers = propertiesOf('AWS::ECS::TaskDefinition').flatMap(
      ({ ContainerDefinitions }) =>
        ContainerDefinitions as { Name: string; Secrets?: { Name: string; ValueFrom: unknown }[] }[],
    )
    const logins = containers.flatMap(({ Name, Secrets = [] }) =>
      Secrets.filter((secret) => /^DATABASE.*_USER$/.test(secret.Name)).map((secret) => [
        Name,
        secret.Name,
        secretIdOf(secret.ValueFrom),
      ]),
    )
    expect(logins).toEqual(
      expect.arrayContaining([
        ['roles', 'DATABASE_USER', 'databaseadmin'],
        ['roles', 'DATABASE_OWNER_USER', 'databaseowner'],
        ['roles', 'DATABASE_ORIGIN_USER', 'database'],
        ['migrate', 'DATABASE_USER', 'databaseowner'],
        ['first-key', 'DATABASE_USER', 'database'],
        ['origin', 'DATABASE_USER', 'database'],
      ]),
    )
    expect(logins).toHaveLength(6)
    const definitions = propertiesOf('AWS::ECS::TaskDefinition').map(
      ({ ContainerDefinitions }) => ContainerDefinitions as { Name: string; DependsOn?: unknown }[],
    )
    const prepare = definitions.find((containers) => containers.some(({ Name }) => Name === 'roles')) ?? []
    const order = prepare.map(({ Name, DependsOn }) => [Name, DependsOn])
    expect(Object.fromEntries(order)).toEqual({
      roles: undefined,
      migrate: [{ Condition: 'SUCCESS', ContainerName: 'roles' }],
      'first-key': [{ Condition: 'SUCCESS', ContainerName: 'migrate' }],
    })
  })

  test('hold no password, but the names of its fields', () => {
    const text = JSON.stringify(resources)
    expect(text).toContain(':SecretString:password')
    expect(propertiesOf('AWS::ECS::TaskDefinition').length).toBeGreaterThan(3)
    for (const { ContainerDefinitions } of propertiesOf('AWS::ECS::TaskDefinition'))
      expect(JSON.stringify(ContainerDefinitions)).not.toMatch(/resolve:secretsmanager/)
  })
})
