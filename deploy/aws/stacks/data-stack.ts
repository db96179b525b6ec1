import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as elasticache from 'aws-cdk-lib/aws-elasticache'
import * as rds from 'aws-cdk-lib/aws-rds'
import type { Construct } from 'constructs'
import type { Installation } from '../configuration.ts'
import { ports } from '../times.ts'
import type { NetworkStack } from './network-stack.ts'
import { ImportedSecrets, type SecretsStack } from './secrets-stack.ts'

export const databaseName = 'gatehouse'
const keyPrefix = 'gatehouse:'

/** Rights of the user of Valkey, as docs/engines.md has them under "Users". */
export const cacheRights = [
  'on',
  `~${keyPrefix}*`,
  `~{${keyPrefix}*`,
  'resetchannels',
  '-@all',
  '+@connection +info +multi +exec +eval +evalsha',
  '+get +set +incrby +pttl +expire +xadd +xread +xrevrange',
  '+cluster|info +cluster|slots +asking +readonly',
].join(' ')

/** PostgreSQL and Valkey: encrypted, in two zones, without a way out, kept when the stack goes. */
export class DataStack extends Stack {
  readonly database: rds.DatabaseInstance
  readonly proxy: rds.DatabaseProxy | undefined
  readonly cache: elasticache.CfnReplicationGroup
  /** Without user and password: tasks get those beside it. */
  readonly databaseUrl: string
  /** Past the proxy, which has no login of the master user. */
  readonly directDatabaseUrl: string
  readonly cacheUrl: string
  readonly cacheName: string
  private readonly installation: Installation
  private readonly network: NetworkStack
  private readonly imported: ImportedSecrets

  constructor(
    scope: Construct,
    id: string,
    installation: Installation,
    network: NetworkStack,
    secrets: SecretsStack,
    props: StackProps,
  ) {
    super(scope, id, props)
    this.installation = installation
    this.network = network
    this.imported = new ImportedSecrets(this, secrets)
    this.database = this.createDatabase()
    this.proxy = installation.database.proxy ? this.createProxy() : undefined
    this.directDatabaseUrl =
      `postgres://${this.database.dbInstanceEndpointAddress}:${ports.postgres}/${databaseName}` +
      '?sslmode=verify-full&sslrootcert=/app/deploy/rds-ca.pem'
    this.databaseUrl = this.proxy
      ? // Its certificate is of a public authority.
        `postgres://${this.proxy.endpoint}:${ports.postgres}/${databaseName}?sslmode=verify-full`
      : this.directDatabaseUrl
    const isCluster = installation.cache.shards > 1
    this.cacheName = `${installation.name}-cache`
    this.cache = this.createCache(isCluster)
    this.cacheUrl = isCluster
      ? `rediss-cluster://${this.cache.attrConfigurationEndPointAddress}:${ports.redis}`
      : `rediss://${this.cache.attrPrimaryEndPointAddress}:${ports.redis}`
  }

  /** A group of the network as it is: rules from here would tie the stacks into a circle. */
  private group(name: 'database' | 'proxy'): ec2.ISecurityGroup {
    const id = this.network.groups[name].securityGroupId
    return ec2.SecurityGroup.fromSecurityGroupId(this, `${name}Group`, id, { mutable: false })
  }

  private createDatabase(): rds.DatabaseInstance {
    const { name, database, logs } = this.installation
    const { vpc } = this.network
    const engine = rds.DatabaseInstanceEngine.postgres({ version: rds.PostgresEngineVersion.VER_18_3 })
    return new rds.DatabaseInstance(this, 'Database', {
      instanceIdentifier: name,
      engine,
      instanceType: new ec2.InstanceType(database.instance),
      vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
      securityGroups: [this.group('database')],
      publiclyAccessible: false,
      multiAz: true,
      databaseName,
      credentials: rds.Credentials.fromSecret(this.imported.secrets.databaseAdmin),
      caCertificate: rds.CaCertificate.RDS_CA_RSA2048_G1,
      parameters: {
        'rds.force_ssl': '1',
        // Beside logins, changes of roles and tables: who gave whom which right.
        log_statement: 'ddl',
        log_connections: '1',
      },
      storageType: rds.StorageType.GP3,
      allocatedStorage: database.storageGb,
      maxAllocatedStorage: database.maxStorageGb,
      storageEncrypted: true,
      storageEncryptionKey: this.imported.key,
      // Point-in-time recovery reaches back as far.
      backupRetention: Duration.days(database.backupDays),
      preferredBackupWindow: '02:00-03:00',
      preferredMaintenanceWindow: 'sun:03:30-sun:04:30',
      copyTagsToSnapshot: true,
      deleteAutomatedBackups: false,
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
      autoMinorVersionUpgrade: true,
      enablePerformanceInsights: true,
      performanceInsightEncryptionKey: this.imported.key,
      monitoringInterval: Duration.seconds(60),
      cloudwatchLogsExports: ['postgresql', 'upgrade'],
      cloudwatchLogsRetention: logs.days,
    })
  }

  private createProxy(): rds.DatabaseProxy {
    const { vpc } = this.network
    return new rds.DatabaseProxy(this, 'Proxy', {
      dbProxyName: this.installation.name,
      proxyTarget: rds.ProxyTarget.fromInstance(this.database),
      secrets: [this.imported.secrets.database, this.imported.secrets.databaseOwner],
      vpc,
      vpcSubnets: { subnetType: ec2.SubnetType.PRIVATE_ISOLATED },
      securityGroups: [this.group('proxy')],
      requireTLS: true,
      maxConnectionsPercent: 90,
      // Below DATABASE_STATEMENT_SECONDS: a wait for a connection fails before its statement would.
      borrowTimeout: Duration.seconds(20),
    })
  }

  private createCache(isCluster: boolean): elasticache.CfnReplicationGroup {
    const { cache, name } = this.installation
    const login = this.imported.secrets.cache
    const subnets = new elasticache.CfnSubnetGroup(this, 'CacheSubnets', {
      cacheSubnetGroupName: `${this.cacheName}`,
      description: 'Private subnets of the cache',
      subnetIds: this.network.vpc.isolatedSubnets.map(({ subnetId }) => subnetId),
    })
    const parameters = new elasticache.CfnParameterGroup(this, 'CacheParameters', {
      cacheParameterGroupFamily: 'valkey8',
      description: 'Nothing of Gatehouse may be evicted',
      properties: {
        'maxmemory-policy': 'noeviction',
        ...(isCluster && { 'cluster-enabled': 'yes' }),
      },
    })
    const user = new elasticache.CfnUser(this, 'CacheUser', {
      userId: `${name}-services`,
      userName: 'gatehouse',
      engine: 'valkey',
      accessString: cacheRights,
      authenticationMode: {
        Type: 'password',
        // A dynamic reference: the template holds the name of the field, not the password.
        Passwords: [login.secretValueFromJson('password').unsafeUnwrap()],
      },
    })
    const users = new elasticache.CfnUserGroup(this, 'CacheUsers', {
      userGroupId: `${name}-services`,
      engine: 'valkey',
      userIds: [user.ref],
    })
    const group = new elasticache.CfnReplicationGroup(this, 'Cache', {
      replicationGroupId: this.cacheName,
      replicationGroupDescription: 'Limits and revocations of Gatehouse',
      engine: 'valkey',
      engineVersion: '8.0',
      cacheNodeType: cache.node,
      cacheParameterGroupName: parameters.ref,
      cacheSubnetGroupName: subnets.ref,
      securityGroupIds: [this.network.groups.cache.securityGroupId],
      port: ports.redis,
      numNodeGroups: cache.shards,
      replicasPerNodeGroup: cache.replicas,
      automaticFailoverEnabled: true,
      multiAzEnabled: true,
      transitEncryptionEnabled: true,
      transitEncryptionMode: 'required',
      atRestEncryptionEnabled: true,
      kmsKeyId: this.imported.key.keyArn,
      userGroupIds: [users.ref],
      autoMinorVersionUpgrade: true,
      preferredMaintenanceWindow: 'sun:04:30-sun:05:30',
      // Counts and revocations: origins publish the revocations of 2 hours again.
      snapshotRetentionLimit: 0,
    })
    return group
  }
}
