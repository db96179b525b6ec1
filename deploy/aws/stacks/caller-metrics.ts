import { Duration } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2'

const period = Duration.minutes(1)

/** Bounds of what callers get: requirement E5, and those of deploy/monitoring/alerts.yml. */
export const callerBounds = { failedPercent: 1, p95Seconds: 0.1 }

/** Share of requests that fail, in percent. */
export function failedPercent({ metrics }: elb.ApplicationLoadBalancer): cloudwatch.IMetric {
  const sum = (name: string) => metrics.custom(name, { period, statistic: 'Sum' })
  return new cloudwatch.MathExpression({
    expression: 'IF(all > 0, 100 * (FILL(ours, 0) + FILL(balancers, 0)) / all, 0)',
    usingMetrics: {
      // Responses of gateways, and those that the balancer gives without one.
      ours: sum('HTTPCode_Target_5XX_Count'),
      balancers: sum('HTTPCode_ELB_5XX_Count'),
      all: sum('RequestCount'),
    },
    label: 'Failed requests, %',
    period,
  })
}

/** Time in which gateways answer 95 of 100 requests. */
export const p95Seconds = ({ metrics }: elb.ApplicationLoadBalancer): cloudwatch.IMetric =>
  metrics.custom('TargetResponseTime', { period, statistic: 'p95' })
