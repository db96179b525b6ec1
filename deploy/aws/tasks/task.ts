import { Duration } from 'aws-cdk-lib'
import * as ecs from 'aws-cdk-lib/aws-ecs'
import * as iam from 'aws-cdk-lib/aws-iam'
import type * as logs from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import { times } from '../times.ts'
import { collectorConfiguration, collectorImage } from './collector.ts'

export interface TaskOptions {
  cpu: number
  memory: number
  logGroup: logs.ILogGroup
}

export interface ContainerOptions {
  image: ecs.ContainerImage
  command?: string[]
  environment: Record<string, string>
  secrets?: Record<string, ecs.Secret>
  port?: { name: string; number: number }
  /** Variable that has the port of the service, for its health check. */
  portVariable?: string
  essential?: boolean
}

export function createTaskDefinition(scope: Construct, id: string, { cpu, memory }: TaskOptions) {
  return new ecs.FargateTaskDefinition(scope, id, {
    cpu,
    memoryLimitMiB: memory,
    runtimePlatform: {
      cpuArchitecture: ecs.CpuArchitecture.X86_64,
      operatingSystemFamily: ecs.OperatingSystemFamily.LINUX,
    },
  })
}

/** A container as compose and Kubernetes run it: user 1000, nothing to write to, no capability. */
export function addContainer(
  task: ecs.FargateTaskDefinition,
  name: string,
  { logGroup }: Pick<TaskOptions, 'logGroup'>,
  options: ContainerOptions,
): ecs.ContainerDefinition {
  const { image, command, environment, secrets, port, portVariable, essential = true } = options
  const linuxParameters = new ecs.LinuxParameters(task, `${name}Linux`, { initProcessEnabled: true })
  linuxParameters.dropCapabilities(ecs.Capability.ALL)
  return task.addContainer(name, {
    image,
    environment,
    essential,
    linuxParameters,
    user: '1000:1000',
    readonlyRootFilesystem: true,
    stopTimeout: Duration.seconds(times.stop),
    logging: ecs.LogDrivers.awsLogs({ logGroup, streamPrefix: name }),
    ...(command && { command }),
    ...(secrets && { secrets }),
    ...(port && { portMappings: [{ name: port.name, containerPort: port.number }] }),
    ...(portVariable && {
      // Alive, not ready: a database that is away must not end the tasks that wait for it.
      healthCheck: {
        command: ['CMD', 'node', 'deploy/healthcheck.ts', portVariable],
        interval: Duration.seconds(10),
        timeout: Duration.seconds(5),
        retries: 3,
        startPeriod: Duration.seconds(times.start),
      },
    }),
  })
}

/** The collector scrapes the service within its task, and passes its traces on. */
export function addCollector(
  task: ecs.FargateTaskDefinition,
  service: 'gateway' | 'origin',
  options: { logGroup: logs.ILogGroup; metricsGroup: logs.ILogGroup; region: string },
): void {
  const { logGroup, metricsGroup, region } = options
  const linuxParameters = new ecs.LinuxParameters(task, 'CollectorLinux', {})
  linuxParameters.dropCapabilities(ecs.Capability.ALL)
  task.addContainer('collector', {
    image: ecs.ContainerImage.fromRegistry(collectorImage),
    // A service goes on without it.
    essential: false,
    memoryReservationMiB: 128,
    memoryLimitMiB: 256,
    linuxParameters,
    readonlyRootFilesystem: true,
    environment: { AOT_CONFIG_CONTENT: collectorConfiguration(service, region, metricsGroup.logGroupName) },
    logging: ecs.LogDrivers.awsLogs({ logGroup, streamPrefix: 'collector' }),
  })
  metricsGroup.grant(task.taskRole, 'logs:CreateLogStream', 'logs:PutLogEvents', 'logs:DescribeLogStreams')
  task.taskRole.addToPrincipalPolicy(
    // X-Ray has no resources to name.
    new iam.PolicyStatement({
      actions: ['xray:PutTraceSegments', 'xray:PutTelemetryRecords'],
      resources: ['*'],
    }),
  )
}
