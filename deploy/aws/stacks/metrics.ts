import { Duration } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type { Installation } from '../configuration.ts'
import { metricsNamespace } from '../tasks/collector.ts'
import type { DataStack } from './data-stack.ts'
import type { SecretsStack } from './secrets-stack.ts'
import type { ServicesStack } from './services-stack.ts'

export interface Watched {
  installation: Installation
  data: DataStack
  services: ServicesStack
  secrets: SecretsStack
}

/** Outcomes of a login that did not succeed; a test holds them against the origin. */
export const failedLogins = [
  'unknown_account',
  'account_locked',
  'wrong_password',
  'account_disabled',
  'email_unverified',
  'wrong_code',
] as const

export const serviceMetric = (service: string, name: string, statistic: string, more = {}) =>
  new cloudwatch.Metric({
    namespace: metricsNamespace,
    metricName: name,
    dimensionsMap: { service, ...more },
    statistic,
    period: Duration.minutes(1),
  })
