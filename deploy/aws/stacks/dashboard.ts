import { Duration } from 'aws-cdk-lib'
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch'
import type { Construct } from 'constructs'
import { failedLogins, serviceMetric, type Watched } from './metrics.ts'

const period = Duration.minutes(1)

/** The questions of docs/monitoring.md, as graphs. */
export function createDashboard(scope: Construct, { installation, services, data }: Watched): void {
  const { metrics } = services.balancer.balancer
  const count = (name: string) => metrics.custom(name, { period, statistic: 'Sum' })
  const latency = (statistic: string) => metrics.custom('TargetResponseTime', { period, statistic })
  const graph = (title: string, left: cloudwatch.IMetric[], right: cloudwatch.IMetric[] = []) =>
    new cloudwatch.GraphWidget({ title, left, right, width: 12, height: 6 })
  const logins = ['succeeded', ...failedLogins].map((outcome) =>
    serviceMetric('origin', 'gatehouse_origin_logins_total', 'Sum', { outcome }),
  )
  const origin = (name: string, statistic: string) =>
    serviceMetric('origin', `gatehouse_origin_${name}`, statistic)
  new cloudwatch.Dashboard(scope, 'Dashboard', {
    dashboardName: installation.name,
    widgets: [
      [
        graph(
          'Requests a minute, and failures',
          [count('RequestCount')],
          [count('HTTPCode_Target_5XX_Count'), count('HTTPCode_ELB_5XX_Count')],
        ),
        graph('Response time, s', [latency('p50'), latency('p95'), latency('p99')]),
      ],
      [
        graph('Logins a minute, by outcome', logins),
        graph('Locked accounts', [origin('locked_accounts', 'Maximum')]),
      ],
      [
        graph('Connections of origins', [
          origin('database_connections_in_use', 'Maximum'),
          origin('database_connections_max', 'Maximum'),
        ]),
        graph('Limits by mode', [
          serviceMetric('gateway', 'gatehouse_gateway_limit_decisions_total', 'Sum', { mode: 'shared' }),
          serviceMetric('gateway', 'gatehouse_gateway_limit_decisions_total', 'Sum', { mode: 'local' }),
        ]),
      ],
      [
        graph('Processor, %', [
          services.gateway.metricCpuUtilization({ period }),
          services.origin.metricCpuUtilization({ period }),
          data.database.metricCPUUtilization({ period }),
        ]),
        graph('Memory of tasks, %', [
          services.gateway.metricMemoryUtilization({ period, statistic: 'Maximum' }),
          services.origin.metricMemoryUtilization({ period, statistic: 'Maximum' }),
        ]),
      ],
    ],
  })
}
