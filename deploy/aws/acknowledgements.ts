import { type Stack, Validations } from 'aws-cdk-lib'
import type { Installation } from './configuration.ts'
import { connectPolicy } from './stacks/services-stack.ts'

/** Rules of cdk-nag that do not hold here, where, and why. */

interface Acknowledgement {
  /** Matches the path of each construct concerned, within its stack. */
  at: RegExp
  rules: readonly string[]
  reason: string
}

const managedPolicy = (name: string) =>
  `AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/${name}]`
const versionsOf = (logicalId: string) => `AwsSolutions-IAM5[Resource::<${logicalId}.Arn>:*]`

const acknowledgementsIn = ({
  region,
  account,
  privateAuthority,
}: Installation): readonly Acknowledgement[] => [
  {
    at: /^balancerGroup\/Resource$/,
    rules: ['AwsSolutions-EC23'],
    reason: 'Clients of a public gateway are everywhere; ports 80 and 443 of the balancer alone are open.',
  },
  {
    at: /^Cache$/,
    rules: ['AwsSolutions-AEC6'],
    reason: 'Users log in by RBAC with a password and least rights, which an AUTH token cannot restrict.',
  },
  {
    at: /^Database\/Resource$/,
    rules: ['AwsSolutions-RDS11'],
    reason: 'Groups admit tasks alone; another port than 5432 hides nothing from them.',
  },
  {
    at: /^(gateway|origin|encryption)\/Resource$/,
    rules: ['AwsSolutions-SMG4'],
    reason: 'Keys of tokens and passwords change by the steps of docs/runbooks/keys.md, never by themselves.',
  },
  {
    at: /^(mail|database(-owner|-admin)?|cache)\/Resource$/,
    rules: ['AwsSolutions-SMG4'],
    reason: 'Rotated by the steps of docs/aws.md, which keep two logins valid while tasks are replaced.',
  },
  {
    at: /^\w+Task\/Resource$/,
    rules: ['AwsSolutions-ECS2'],
    reason: 'Variables in the definition are not secret; each secret comes from Secrets Manager.',
  },
  {
    at: /^\w+Task\/ExecutionRole\/DefaultPolicy\/Resource$/,
    rules: ['AwsSolutions-IAM5[Resource::*]'],
    reason: 'ecr:GetAuthorizationToken has no resource to name.',
  },
  {
    at: /^\w+Task\/TaskRole\/DefaultPolicy\/Resource$/,
    rules: ['AwsSolutions-IAM5[Resource::*]'],
    reason: 'xray:PutTraceSegments has no resource to name.',
  },
  {
    at: /^DeployRole\/DefaultPolicy\/Resource$/,
    rules: ['AwsSolutions-IAM5[Resource::*]'],
    reason: 'ecr:GetAuthorizationToken has no resource to name.',
  },
  {
    at: /^(PrepareStart|PrepareIsComplete|SmokeGate)\/ServiceRole\/(DefaultPolicy\/)?Resource$/,
    rules: [
      managedPolicy('service-role/AWSLambdaBasicExecutionRole'),
      `AwsSolutions-IAM5[Resource::arn:<AWS::Partition>:ecs:${region}:${account}:task/<ClusterEB0386A7>/*]`,
    ],
    reason: 'The managed policy writes logs; a task has no name before it runs, so the cluster bounds it.',
  },
  {
    at: /^PrepareProvider\/.*(Service)?Role\/(DefaultPolicy\/)?Resource$/,
    rules: [
      managedPolicy('service-role/AWSLambdaBasicExecutionRole'),
      versionsOf('PrepareStart94D683A6'),
      versionsOf('PrepareIsCompleteC9FAE2BC'),
      versionsOf('PrepareProviderframeworkisComplete036B1F64'),
      versionsOf('PrepareProviderframeworkonTimeoutCD223BE6'),
    ],
    reason: 'Made by the provider framework of the CDK: it may invoke every version of our two functions.',
  },
  {
    at: /^PrepareProvider\/waiter-state-machine\/Resource$/,
    rules: ['AwsSolutions-SF1', 'AwsSolutions-SF2'],
    reason: 'It asks whether one task has ended; the functions it calls write the log.',
  },
  {
    at: /^Gateway\/AlternateRole\/Resource$/,
    rules: [managedPolicy('AmazonECSInfrastructureRolePolicyForLoadBalancers')],
    reason: 'The policy that ECS documents for swapping target groups.',
  },
  {
    at: /^Database\/MonitoringRole\/Resource$/,
    rules: [managedPolicy('service-role/AmazonRDSEnhancedMonitoringRole')],
    reason: 'The policy that RDS documents for enhanced monitoring.',
  },
  {
    at: /^LogRetention\w+\/ServiceRole\/(DefaultPolicy\/)?Resource$/,
    rules: [managedPolicy('service-role/AWSLambdaBasicExecutionRole'), 'AwsSolutions-IAM5[Resource::*]'],
    reason: 'Made by the CDK to set the retention of log groups that RDS creates.',
  },
  {
    at: /^AccessLogs\/Resource$/,
    rules: ['AwsSolutions-S1'],
    reason: 'This bucket holds the access logs of the balancer; logs of who wrote them would have no end.',
  },
  ...(privateAuthority === undefined
    ? []
    : [
        {
          at: /^ConnectRole\/Resource$/,
          rules: [managedPolicy(connectPolicy)],
          reason: 'The policy that ECS documents for certificates of Service Connect.',
        },
        {
          at: /^ConnectRole\/DefaultPolicy\/Resource$/,
          rules: [
            'AwsSolutions-IAM5[Action::kms:ReEncrypt*]',
            'AwsSolutions-IAM5[Action::kms:GenerateDataKey*]',
          ],
          reason: 'Both forms of each action, on one key.',
        },
      ]),
]

/** @throws Error where an acknowledgement is about nothing */
export function acknowledgeRules(stacks: readonly Stack[], installation: Installation): void {
  const constructs = stacks.flatMap((stack) =>
    stack.node.findAll().map((construct) => ({
      construct,
      path: construct.node.path.slice(stack.node.path.length + 1),
    })),
  )
  for (const { at, rules, reason } of acknowledgementsIn(installation)) {
    const concerned = constructs.filter(({ path }) => at.test(path))
    if (concerned.length === 0) throw new Error(`No construct matches ${at}`)
    for (const { construct } of concerned)
      Validations.of(construct).acknowledge(...rules.map((id) => ({ id, reason })))
  }
}
