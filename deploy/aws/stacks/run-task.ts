import { readFileSync } from 'node:fs'
import { CustomResource, Duration } from 'aws-cdk-lib'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import type * as ecs from 'aws-cdk-lib/aws-ecs'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as lambda from 'aws-cdk-lib/aws-lambda'
import type * as logs from 'aws-cdk-lib/aws-logs'
import { Provider } from 'aws-cdk-lib/custom-resources'
import type { Construct } from 'constructs'

interface RunTaskOptions {
  cluster: ecs.Cluster
  task: ecs.FargateTaskDefinition
  group: ec2.ISecurityGroup
  logGroup: logs.ILogGroup
}

const code = readFileSync(new URL('../run-task.cjs', import.meta.url), 'utf8')

/** Files, comments and indentation do not count towards the 4,096 characters that may be inline. */
const inline = code.replace(/^\s*(\/\*\*|\*|\/\/).*\n/gm, '').replace(/^ +/gm, '')

function createFunction(
  scope: Construct,
  id: string,
  handler: 'start' | 'isComplete' | 'gate',
  options: RunTaskOptions,
): lambda.Function {
  const { cluster, task, group, logGroup } = options
  const subnets = cluster.vpc.selectSubnets({ subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS }).subnetIds
  const created = new lambda.Function(scope, id, {
    runtime: lambda.Runtime.NODEJS_24_X,
    code: lambda.Code.fromInline(inline),
    handler: `index.${handler}`,
    timeout: Duration.seconds(60),
    logGroup,
    environment: {
      CLUSTER: cluster.clusterName,
      SUBNETS: subnets.join(','),
      GROUP: group.securityGroupId,
      ...(handler === 'gate' && { TASK: task.taskDefinitionArn }),
    },
  })
  const ofCluster = { ArnEquals: { 'ecs:cluster': cluster.clusterArn } }
  created.addToRolePolicy(
    new iam.PolicyStatement({
      actions: ['ecs:DescribeTasks'],
      resources: [cluster.arnForTasks('*')],
      conditions: ofCluster,
    }),
  )
  if (handler === 'isComplete') return created
  created.addToRolePolicy(
    new iam.PolicyStatement({
      actions: ['ecs:RunTask'],
      resources: [task.taskDefinitionArn],
      conditions: ofCluster,
    }),
  )
  task.taskRole.grantPassRole(created.grantPrincipal)
  task.obtainExecutionRole().grantPassRole(created.grantPrincipal)
  return created
}

/** A resource that exists when the task has ended well: what depends on it waits. */
export function createOneOffTask(scope: Construct, id: string, options: RunTaskOptions): CustomResource {
  const provider = new Provider(scope, `${id}Provider`, {
    onEventHandler: createFunction(scope, `${id}Start`, 'start', options),
    isCompleteHandler: createFunction(scope, `${id}IsComplete`, 'isComplete', options),
    queryInterval: Duration.seconds(10),
    // A migration that takes longer than this does not belong into a release.
    totalTimeout: Duration.minutes(30),
    logGroup: options.logGroup,
  })
  return new CustomResource(scope, id, {
    resourceType: 'Custom::OneOffTask',
    serviceToken: provider.serviceToken,
    properties: { taskDefinition: options.task.taskDefinitionArn },
  })
}

/** A hook of a blue/green deployment that runs the task and fails the deployment with it. */
export const createGate = (scope: Construct, id: string, options: RunTaskOptions): lambda.Function =>
  createFunction(scope, id, 'gate', options)
