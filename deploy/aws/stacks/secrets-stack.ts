import { RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import * as iam from 'aws-cdk-lib/aws-iam'
import * as kms from 'aws-cdk-lib/aws-kms'
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager'
import { Construct } from 'constructs'
import type { Installation } from '../configuration.ts'

/** Fields that `secrets.ts` fills in, once. A task whose field is missing does not start. */
export const filledSecrets = {
  gateway: ['ASSERTION_PRIVATE_JWK'],
  origin: ['ASSERTION_PUBLIC_JWKS', 'PASSWORD_DIGEST_KEY', 'REFRESH_TOKEN_KEY', 'DEVICE_COOKIE_KEY'],
  encryption: ['KEY_ENCRYPTION_KEY'],
  mail: ['username', 'password'],
} as const

/** The key of everything at rest, and the secrets: both outlive their stack. */
export class SecretsStack extends Stack {
  readonly key: kms.Key
  readonly gateway: secretsmanager.Secret
  readonly origin: secretsmanager.Secret
  readonly encryption: secretsmanager.Secret
  readonly mail: secretsmanager.Secret
  readonly database: secretsmanager.Secret
  readonly databaseOwner: secretsmanager.Secret
  readonly databaseAdmin: secretsmanager.Secret
  readonly cache: secretsmanager.Secret
  private readonly installation: Installation

  constructor(scope: Construct, id: string, installation: Installation, props: StackProps) {
    super(scope, id, props)
    this.installation = installation
    this.key = new kms.Key(this, 'Key', {
      alias: `${installation.name}`,
      enableKeyRotation: true,
      removalPolicy: RemovalPolicy.RETAIN,
    })
    this.key.addToResourcePolicy(
      new iam.PolicyStatement({
        principals: [new iam.ServicePrincipal(`logs.${installation.region}.amazonaws.com`)],
        actions: ['kms:Encrypt*', 'kms:Decrypt*', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:Describe*'],
        resources: ['*'],
        conditions: {
          ArnLike: {
            'kms:EncryptionContext:aws:logs:arn': `arn:${this.partition}:logs:${this.region}:${this.account}:*`,
          },
        },
      }),
    )
    this.key.grantEncryptDecrypt(new iam.ServicePrincipal('cloudwatch.amazonaws.com'))
    this.gateway = this.createFilled('gateway', 'The key that gateways sign assertions with')
    this.origin = this.createFilled('origin', 'Keys of the origins')
    this.encryption = this.createFilled('encryption', 'The key of the signing keys in the database')
    this.mail = this.createFilled('mail', 'SMTP credentials of SES')
    this.database = this.createLogin('database', 'gatehouse_origin', 'The login of origins at PostgreSQL')
    this.databaseOwner = this.createLogin('database-owner', 'gatehouse_owner', 'The owner of the schema')
    this.databaseAdmin = this.createLogin('database-admin', 'gatehouse_admin', 'The master user of RDS')
    this.cache = this.createLogin('cache', 'gatehouse', 'The login of Valkey')
  }

  private createFilled(name: string, description: string): secretsmanager.Secret {
    return this.create(name, description, { secretStringTemplate: '{}', generateStringKey: 'unfilled' })
  }

  private createLogin(name: string, username: string, description: string): secretsmanager.Secret {
    return this.create(name, description, {
      secretStringTemplate: JSON.stringify({ username }),
      generateStringKey: 'password',
      passwordLength: 40,
      // Characters that RDS and ElastiCache both take.
      excludePunctuation: true,
    })
  }

  private create(
    name: string,
    description: string,
    generateSecretString: secretsmanager.SecretStringGenerator,
  ): secretsmanager.Secret {
    return new secretsmanager.Secret(this, name, {
      secretName: `${this.installation.name}/${name}`,
      description,
      encryptionKey: this.key,
      generateSecretString,
      removalPolicy: RemovalPolicy.RETAIN,
    })
  }
}

const secretNames = [
  ...(['gateway', 'origin', 'encryption', 'mail', 'cache'] as const),
  ...(['database', 'databaseOwner', 'databaseAdmin'] as const),
]

/**
 * The secrets and their key as another stack sees them: rights go into the policies of its roles.
 * Into the policy of the key they would tie the stacks into a circle.
 */
export class ImportedSecrets extends Construct {
  readonly key: kms.IKey
  readonly secrets: Record<(typeof secretNames)[number], secretsmanager.ISecret>

  constructor(scope: Construct, source: SecretsStack) {
    super(scope, 'Secrets')
    const encryptionKey = kms.Key.fromKeyArn(this, 'Key', source.key.keyArn)
    this.key = encryptionKey
    this.secrets = Object.fromEntries(
      secretNames.map((name) => {
        const secretCompleteArn = source[name].secretArn
        return [
          name,
          secretsmanager.Secret.fromSecretAttributes(this, name, { secretCompleteArn, encryptionKey }),
        ]
      }),
    ) as typeof this.secrets
  }
}
