import { Duration, Stack, type StackProps } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions'
import * as sns from 'aws-cdk-lib/aws-sns'
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions'
import type { Construct } from 'constructs'
import { callerBounds, failedPercent, p95Seconds } from './caller-metrics.ts'
import { createDashboard } from './dashboard.ts'
import { failedLogins, serviceMetric, type Watched } from './metrics.ts'
import { ImportedSecrets } from './secrets-stack.ts'

interface AlarmOptions {
  description: string
  metric: cloudwatch.IMetric
  threshold: number
  /** Periods of a minute. */
  minutes: number
  isBelow?: boolean
  /** Where no data is trouble itself. */
  isMissingBad?: boolean
}

const minute = Duration.minutes(1)

const sumOf = (expressions: Record<string, cloudwatch.IMetric>, expression: string, label: string) =>
  new cloudwatch.MathExpression({ expression, usingMetrics: expressions, label, period: minute })

/** The alarms of docs/monitoring.md, those of the stores, and the dashboard. */
export class MonitoringStack extends Stack {
  private readonly watched: Watched
  private readonly topic: sns.Topic

  constructor(scope: Construct, id: string, watched: Watched, props: StackProps) {
    super(scope, id, props)
    this.watched = watched
    const { installation, secrets } = watched
    this.topic = new sns.Topic(this, 'Alarms', {
      topicName: `${installation.name}-alarms`,
      masterKey: new ImportedSecrets(this, secrets).key,
      enforceSSL: true,
    })
    this.topic.addSubscription(new EmailSubscription(installation.alarms.email))
    this.watchCallers()
    this.watchServices()
    this.watchDatabase()
    this.watchCache()
    createDashboard(this, watched)
  }

  private createAlarm(name: string, options: AlarmOptions): void {
    const { description, metric, threshold, minutes, isBelow = false, isMissingBad = false } = options
    const { GREATER_THAN_THRESHOLD, LESS_THAN_THRESHOLD } = cloudwatch.ComparisonOperator
    const alarm = new cloudwatch.Alarm(this, name, {
      alarmName: `${this.watched.installation.name}-${name}`,
      alarmDescription: description,
      metric,
      threshold,
      evaluationPeriods: minutes,
      comparisonOperator: isBelow ? LESS_THAN_THRESHOLD : GREATER_THAN_THRESHOLD,
      treatMissingData: isMissingBad
        ? cloudwatch.TreatMissingData.BREACHING
        : cloudwatch.TreatMissingData.NOT_BREACHING,
    })
    alarm.addAlarmAction(new SnsAction(this.topic))
    alarm.addOkAction(new SnsAction(this.topic))
  }

  private watchCallers(): void {
    const { balancer } = this.watched.services.balancer
    this.createAlarm('errors', {
      description: 'More than 1 % of the requests fail. docs/operations.md#errors',
      metric: failedPercent(balancer),
      threshold: callerBounds.failedPercent,
      minutes: 5,
    })
    this.createAlarm('slow', {
      description: 'One request in twenty takes longer than 100 ms. docs/operations.md#slow-answers',
      metric: p95Seconds(balancer),
      threshold: callerBounds.p95Seconds,
      minutes: 5,
    })
  }

  private watchServices(): void {
    const { services } = this.watched
    const connections = (name: string) =>
      serviceMetric('origin', `gatehouse_origin_database_connections_${name}`, 'Maximum')
    this.createAlarm('pool', {
      description: 'An origin uses more than 90 % of its connections. docs/operations.md#database-pool-full',
      metric: sumOf(
        { used: connections('in_use'), most: connections('max') },
        '100 * used / most',
        'Connections in use, %',
      ),
      threshold: 90,
      minutes: 2,
    })
    const failures = Object.fromEntries(
      failedLogins.map((outcome) => [
        outcome,
        serviceMetric('origin', 'gatehouse_origin_logins_total', 'Sum', { outcome }),
      ]),
    )
    this.createAlarm('failed-logins', {
      description: 'More than 100 logins a minute fail. docs/operations.md#credential-stuffing',
      metric: sumOf(
        failures,
        failedLogins.map((outcome) => `FILL(${outcome}, 0)`).join(' + '),
        'Failed logins a minute',
      ),
      threshold: 100,
      minutes: 1,
    })
    for (const [name, service] of Object.entries({ gateway: services.gateway, origin: services.origin }))
      this.createAlarm(`memory-${name}`, {
        description: `A task of ${name} uses more than 80 % of its memory. docs/operations.md#memory`,
        metric: service.metricMemoryUtilization({ statistic: 'Maximum', period: minute }),
        threshold: 80,
        minutes: 10,
      })
    this.createAlarm('redis-lost', {
      description: 'No gateway reaches Valkey. docs/operations.md#redis-lost',
      metric: serviceMetric('gateway', 'gatehouse_gateway_redis_up', 'Maximum'),
      threshold: 1,
      minutes: 1,
      isBelow: true,
      isMissingBad: true,
    })
  }

  private watchDatabase(): void {
    const { data, installation } = this.watched
    const { database } = data
    const options = { period: minute }
    this.createAlarm('database-processor', {
      description: 'PostgreSQL is busy. docs/operations.md#slow-answers',
      metric: database.metricCPUUtilization(options),
      threshold: 80,
      minutes: 10,
    })
    this.createAlarm('database-storage', {
      description: 'Less than a tenth of the storage that PostgreSQL may grow to is free. docs/aws.md',
      metric: database.metricFreeStorageSpace({ ...options, statistic: 'Minimum' }),
      threshold: (installation.database.storageGb * 1024 ** 3) / 10,
      minutes: 10,
      isBelow: true,
    })
    this.createAlarm('database-memory', {
      description: 'PostgreSQL has less than 256 MiB to spare. docs/aws.md',
      metric: database.metricFreeableMemory({ ...options, statistic: 'Minimum' }),
      threshold: 256 * 1024 ** 2,
      minutes: 10,
      isBelow: true,
    })
    this.createAlarm('database-lost', {
      description: 'No origin gets an answer from PostgreSQL. docs/operations.md#postgres-failover',
      metric: serviceMetric('origin', 'gatehouse_origin_database_up', 'Maximum'),
      threshold: 1,
      minutes: 1,
      isBelow: true,
      isMissingBad: true,
    })
  }

  private watchCache(): void {
    const metric = (metricName: string, statistic: string) =>
      new cloudwatch.Metric({
        namespace: 'AWS/ElastiCache',
        metricName,
        dimensionsMap: { ReplicationGroupId: this.watched.data.cacheName },
        statistic,
        period: minute,
      })
    this.createAlarm('cache-processor', {
      description: 'The one thread of Valkey is busy. docs/engines.md#memory',
      metric: metric('EngineCPUUtilization', 'Maximum'),
      threshold: 80,
      minutes: 5,
    })
    this.createAlarm('cache-memory', {
      description: 'Valkey rejects writes when it is full. docs/engines.md#memory',
      metric: metric('DatabaseMemoryUsagePercentage', 'Maximum'),
      threshold: 80,
      minutes: 5,
    })
    this.createAlarm('cache-evictions', {
      description: 'Valkey evicts what must stay. docs/engines.md#memory',
      metric: metric('Evictions', 'Sum'),
      threshold: 0,
      minutes: 1,
    })
  }
}
