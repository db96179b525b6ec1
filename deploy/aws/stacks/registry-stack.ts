import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import * as ecr from 'aws-cdk-lib/aws-ecr'
import * as iam from 'aws-cdk-lib/aws-iam'
import type { Construct } from 'constructs'
import type { Installation } from '../configuration.ts'

export const images = ['gateway', 'origin', 'command', 'smoke'] as const
export type Repositories = Record<(typeof images)[number], ecr.Repository>

const issuer = 'token.actions.githubusercontent.com'

/** Images, and the role by which the workflow of one branch pushes them and deploys. */
export class RegistryStack extends Stack {
  readonly repositories: Repositories

  constructor(scope: Construct, id: string, installation: Installation, props: StackProps) {
    super(scope, id, props)
    const { name, github } = installation
    this.repositories = Object.fromEntries(
      images.map((image) => [image, this.createRepository(`${name}/${image}`, image)]),
    ) as Repositories

    const provider = new iam.OidcProviderNative(this, 'GitHub', {
      url: `https://${issuer}`,
      clientIds: ['sts.amazonaws.com'],
    })
    const role = new iam.Role(this, 'DeployRole', {
      roleName: `${name}-deploy`,
      maxSessionDuration: Duration.hours(2),
      assumedBy: new iam.OpenIdConnectPrincipal(provider, {
        StringEquals: {
          [`${issuer}:aud`]: 'sts.amazonaws.com',
          [`${issuer}:sub`]: `repo:${github.repository}:ref:refs/heads/${github.branch}`,
        },
      }),
    })
    for (const repository of Object.values(this.repositories)) {
      repository.grantPullPush(role)
      repository.grant(role, 'ecr:DescribeImages', 'ecr:DescribeImageScanFindings')
    }
    // CloudFormation acts by the roles of the CDK bootstrap, which are all that this role may take.
    role.addToPolicy(
      new iam.PolicyStatement({
        actions: ['sts:AssumeRole'],
        resources: ['deploy', 'file-publishing', 'lookup'].map(
          (each) =>
            `arn:${this.partition}:iam::${this.account}:role/cdk-hnb659fds-${each}-role-${this.account}-${this.region}`,
        ),
      }),
    )
  }

  private createRepository(repositoryName: string, id: string): ecr.Repository {
    return new ecr.Repository(this, `${id}Repository`, {
      repositoryName,
      imageScanOnPush: true,
      // A tag is one image for ever, so that a rollback runs what ran before.
      imageTagMutability: ecr.TagMutability.IMMUTABLE,
      encryption: ecr.RepositoryEncryption.AES_256,
      lifecycleRules: [{ maxImageCount: 50, description: 'Releases to roll back to' }],
      removalPolicy: RemovalPolicy.RETAIN,
    })
  }
}
