import { CfnOutput, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as ecs from 'aws-cdk-lib/aws-ecs'
import type * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as logs from 'aws-cdk-lib/aws-logs'
import type * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager'
import type { Construct } from 'constructs'
import type { Installation } from '../configuration.ts'
import {
  databaseEnvironment,
  gatewayEnvironment,
  originEnvironment,
  smokeEnvironment,
} from '../tasks/environment.ts'
import { addCollector, addContainer, type ContainerOptions, createTaskDefinition } from '../tasks/task.ts'
import { ports, times } from '../times.ts'
import { createBalancer } from './balancer.ts'
import { callerBounds, failedPercent, p95Seconds } from './caller-metrics.ts'
import type { DataStack } from './data-stack.ts'
import { createFirewall } from './firewall.ts'
import type { NetworkStack } from './network-stack.ts'
import type { images, RegistryStack } from './registry-stack.ts'
import { createGate, createOneOffTask } from './run-task.ts'
import { type filledSecrets, ImportedSecrets, type SecretsStack } from './secrets-stack.ts'

interface Parts {
  installation: Installation
  /** Tag of the images. */
  release: string
  network: NetworkStack
  data: DataStack
  secrets: SecretsStack
  registry: RegistryStack
}

export const connectPolicy =
  'service-role/AmazonECSInfrastructureRolePolicyForServiceConnectTransportLayerSecurity'

const field = (secret: secretsmanager.ISecret, name: string) => ecs.Secret.fromSecretsManager(secret, name)

/** Balancer, migration, gateways and origins. */
export class ServicesStack extends Stack {
  readonly cluster: ecs.Cluster
  readonly gateway: ecs.FargateService
  readonly origin: ecs.FargateService
  readonly balancer: ReturnType<typeof createBalancer>
  readonly metricsGroup: logs.LogGroup
  private readonly parts: Parts
  private readonly imported: ImportedSecrets

  constructor(scope: Construct, id: string, parts: Parts, props: StackProps) {
    super(scope, id, props)
    this.parts = parts
    this.imported = new ImportedSecrets(this, parts.secrets)
    const { installation, network, data } = parts
    this.cluster = new ecs.Cluster(this, 'Cluster', {
      clusterName: installation.name,
      vpc: network.vpc,
      containerInsightsV2: ecs.ContainerInsights.ENABLED,
      defaultCloudMapNamespace: { name: `${installation.name}.local`, useForServiceConnect: true },
    })
    this.metricsGroup = this.createLogGroup('metrics')
    const prepared = createOneOffTask(this, 'Prepare', {
      cluster: this.cluster,
      task: this.createPrepareTask(),
      group: network.groups.prepare,
      logGroup: this.createLogGroup('prepare-runs'),
    })
    prepared.node.addDependency(data.database)
    this.origin = this.createOrigin()
    // Origins of a new release refuse the old schema; those that run go on with the new one.
    this.origin.node.addDependency(prepared)
    this.balancer = createBalancer(this, installation, network)
    createFirewall(this, installation, this.balancer.balancer)
    this.gateway = this.createGateway()
    this.gateway.node.addDependency(this.origin)
    this.scale()
    new CfnOutput(this, 'Address', {
      value: `${installation.domain} CNAME ${this.balancer.balancer.loadBalancerDnsName}`,
    })
  }

  private image(name: (typeof images)[number]): ecs.ContainerImage {
    const { registry, release } = this.parts
    return ecs.ContainerImage.fromEcrRepository(registry.repositories[name], release)
  }

  private createLogGroup(name: string): logs.LogGroup {
    const { installation } = this.parts
    return new logs.LogGroup(this, `${name}-log`, {
      logGroupName: `/${installation.name}/${name}`,
      retention: installation.logs.days,
      encryptionKey: this.imported.key,
      removalPolicy: RemovalPolicy.RETAIN,
    })
  }

  /** Fields of `secrets.ts`, as variables of the same names. */
  private filled(name: Exclude<keyof typeof filledSecrets, 'mail'>, fields: readonly string[]) {
    return Object.fromEntries(fields.map((each) => [each, field(this.imported.secrets[name], each)]))
  }

  private login(prefix: string, secret: secretsmanager.ISecret) {
    return {
      [`${prefix}_USER`]: field(secret, 'username'),
      [`${prefix}_PASSWORD`]: field(secret, 'password'),
    }
  }

  private createPrepareTask(): ecs.FargateTaskDefinition {
    const { installation, data } = this.parts
    const { secrets } = this.imported
    const logGroup = this.createLogGroup('prepare')
    const task = createTaskDefinition(this, 'PrepareTask', { cpu: 512, memory: 1024, logGroup })
    const image = this.image('command')
    const environment = databaseEnvironment(installation, data)
    const add = (name: string, options: Omit<ContainerOptions, 'image'>) =>
      addContainer(task, name, { logGroup }, { image, ...options })
    const roles = add('roles', {
      environment: databaseEnvironment(installation, { databaseUrl: data.directDatabaseUrl }),
      command: ['origin/db/roles/command.ts'],
      secrets: {
        ...this.login('DATABASE', secrets.databaseAdmin),
        ...this.login('DATABASE_OWNER', secrets.databaseOwner),
        ...this.login('DATABASE_ORIGIN', secrets.database),
      },
      essential: false,
    })
    const migrate = add('migrate', {
      environment,
      command: ['origin/db/migrate.ts'],
      secrets: this.login('DATABASE', secrets.databaseOwner),
      essential: false,
    })
    const firstKey = add('first-key', {
      environment,
      command: ['origin/keys/command.ts', 'create'],
      secrets: {
        ...this.login('DATABASE', secrets.database),
        ...this.filled('encryption', ['KEY_ENCRYPTION_KEY']),
      },
    })
    const condition = ecs.ContainerDependencyCondition.SUCCESS
    migrate.addContainerDependencies({ container: roles, condition })
    firstKey.addContainerDependencies({ container: migrate, condition })
    return task
  }

  private createOrigin(): ecs.FargateService {
    const { installation, network, data } = this.parts
    const { secrets } = this.imported
    const logGroup = this.createLogGroup('origin')
    const task = createTaskDefinition(this, 'OriginTask', { ...installation.origin, logGroup })
    addContainer(
      task,
      'origin',
      { logGroup },
      {
        image: this.image('origin'),
        environment: originEnvironment(installation, data),
        secrets: {
          ...this.filled('origin', [
            'ASSERTION_PUBLIC_JWKS',
            'PASSWORD_DIGEST_KEY',
            'REFRESH_TOKEN_KEY',
            'DEVICE_COOKIE_KEY',
          ]),
          ...this.filled('encryption', ['KEY_ENCRYPTION_KEY']),
          ...this.login('DATABASE', secrets.database),
          ...this.login('REDIS', secrets.cache),
          ...this.login('SMTP', secrets.mail),
        },
        port: { name: 'origin', number: ports.origin },
        portVariable: 'ORIGIN_PORT',
      },
    )
    addCollector(task, 'origin', { logGroup, metricsGroup: this.metricsGroup, region: installation.region })
    return new ecs.FargateService(this, 'Origin', {
      ...this.serviceProps(task, network.groups.origin),
      serviceName: 'origin',
      circuitBreaker: { rollback: true },
      deploymentStrategy: ecs.DeploymentStrategy.ROLLING,
      serviceConnectConfiguration: {
        logDriver: ecs.LogDrivers.awsLogs({ logGroup, streamPrefix: 'connect' }),
        services: [
          {
            // TCP, as no protocol is named: the gateway alone decides what may be repeated.
            portMappingName: 'origin',
            dnsName: 'origin',
            port: ports.origin,
            ...(installation.privateAuthority !== undefined && {
              tls: this.createConnectTls(installation.privateAuthority),
            }),
          },
        ],
      },
    })
  }

  private createGateway(): ecs.FargateService {
    const { installation, network, data } = this.parts
    const { secrets } = this.imported
    const logGroup = this.createLogGroup('gateway')
    const task = createTaskDefinition(this, 'GatewayTask', { ...installation.gateway, logGroup })
    addContainer(
      task,
      'gateway',
      { logGroup },
      {
        image: this.image('gateway'),
        environment: gatewayEnvironment(installation, data),
        secrets: {
          ...this.filled('gateway', ['ASSERTION_PRIVATE_JWK']),
          ...this.login('REDIS', secrets.cache),
        },
        port: { name: 'gateway', number: ports.gateway },
        portVariable: 'GATEWAY_PORT',
      },
    )
    addCollector(task, 'gateway', { logGroup, metricsGroup: this.metricsGroup, region: installation.region })
    const service = new ecs.FargateService(this, 'Gateway', {
      ...this.serviceProps(task, network.groups.gateway),
      serviceName: 'gateway',
      healthCheckGracePeriod: Duration.seconds(times.start),
      deploymentStrategy: ecs.DeploymentStrategy.BLUE_GREEN,
      circuitBreaker: { rollback: true },
      // The old gateways stay so long, for a rollback that takes a moment.
      bakeTime: Duration.minutes(10),
      deploymentAlarms: {
        alarmNames: this.createReleaseAlarms(),
        behavior: ecs.AlarmBehavior.ROLLBACK_ON_ALARM,
      },
      lifecycleHooks: [this.createSmokeGate()],
      serviceConnectConfiguration: {
        logDriver: ecs.LogDrivers.awsLogs({ logGroup, streamPrefix: 'connect' }),
      },
    })
    const { blue, green, production, test } = this.balancer
    service
      .loadBalancerTarget({
        containerName: 'gateway',
        containerPort: ports.gateway,
        alternateTarget: new ecs.AlternateTarget('Alternate', {
          alternateTargetGroup: green,
          productionListener: ecs.ListenerRuleConfiguration.applicationListenerRule(production),
          testListener: ecs.ListenerRuleConfiguration.applicationListenerRule(test),
        }),
      })
      .attachToApplicationTargetGroup(blue)
    return service
  }

  /** A release watches its callers by alarms of its own: they exist before the first gateway. */
  private createReleaseAlarms(): string[] {
    const { balancer } = this.balancer
    const watched = {
      errors: { metric: failedPercent(balancer), threshold: callerBounds.failedPercent },
      slow: { metric: p95Seconds(balancer), threshold: callerBounds.p95Seconds },
    }
    return Object.entries(watched).map(
      ([name, options]) =>
        new cloudwatch.Alarm(this, `Release-${name}`, {
          ...options,
          alarmName: `${this.parts.installation.name}-release-${name}`,
          alarmDescription: 'Moves all requests back to the gateways before this release. docs/aws.md',
          evaluationPeriods: 2,
          comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
          treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
        }).alarmName,
    )
  }

  /** Encrypts the way from gateways to origins by certificates of the authority. */
  private createConnectTls(awsPcaAuthorityArn: string): ecs.ServiceConnectTlsConfiguration {
    const role = new iam.Role(this, 'ConnectRole', {
      assumedBy: new iam.ServicePrincipal('ecs.amazonaws.com'),
      managedPolicies: [iam.ManagedPolicy.fromAwsManagedPolicyName(connectPolicy)],
    })
    this.imported.key.grantEncryptDecrypt(role)
    return { awsPcaAuthorityArn, kmsKey: this.imported.key, role }
  }

  private createSmokeGate(): ecs.DeploymentLifecycleLambdaTarget {
    const { installation, network } = this.parts
    const logGroup = this.createLogGroup('smoke')
    const task = createTaskDefinition(this, 'SmokeTask', { cpu: 512, memory: 1024, logGroup })
    addContainer(
      task,
      'smoke',
      { logGroup },
      {
        image: this.image('smoke'),
        environment: smokeEnvironment(installation),
      },
    )
    const gate = createGate(this, 'SmokeGate', {
      cluster: this.cluster,
      task,
      group: network.groups.smoke,
      logGroup,
    })
    return new ecs.DeploymentLifecycleLambdaTarget(gate, 'SmokeHook', {
      lifecycleStages: [ecs.DeploymentLifecycleStage.POST_TEST_TRAFFIC_SHIFT],
    })
  }

  private serviceProps(task: ecs.FargateTaskDefinition, group: ec2.ISecurityGroup) {
    // No number of tasks: it is the autoscaler's, and a release would put it back.
    return {
      cluster: this.cluster,
      taskDefinition: task,
      securityGroups: [group],
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS },
      assignPublicIp: false,
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      availabilityZoneRebalancing: ecs.AvailabilityZoneRebalancing.ENABLED,
      enableExecuteCommand: false,
      propagateTags: ecs.PropagatedTagSource.SERVICE,
    }
  }

  private scale(): void {
    const { gateway, origin } = this.parts.installation
    const cooldown = { scaleOutCooldown: Duration.seconds(30), scaleInCooldown: Duration.minutes(5) }
    const gateways = this.gateway.autoScaleTaskCount({ minCapacity: gateway.min, maxCapacity: gateway.max })
    gateways.scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: 60, ...cooldown })
    // A deployment swaps the groups, and the other one counts nothing: neither decides to scale in.
    for (const [id, targetGroup] of Object.entries({ Blue: this.balancer.blue, Green: this.balancer.green }))
      gateways.scaleOnRequestCount(`Requests${id}`, {
        requestsPerTarget: gateway.requestsPerTargetPerMinute,
        targetGroup: targetGroup as elb.ApplicationTargetGroup,
        disableScaleIn: true,
        ...cooldown,
      })
    this.origin
      .autoScaleTaskCount({ minCapacity: origin.min, maxCapacity: origin.max })
      .scaleOnCpuUtilization('Cpu', { targetUtilizationPercent: 60, ...cooldown })
  }
}
