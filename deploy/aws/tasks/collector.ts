import { stringify } from 'yaml'
import { ports } from '../times.ts'

/** A pinned AWS Distro for OpenTelemetry: from public ECR, which needs no account. */
export const collectorImage = 'public.ecr.aws/aws-observability/aws-otel-collector:v0.45.0'

export const metricsNamespace = 'Gatehouse'

/** Metrics that CloudWatch keeps: each costs, so only those that an alarm or a graph reads. */
const kept = {
  gateway: [
    {
      dimensions: [['service']],
      metric_name_selectors: [
        '^gatehouse_gateway_redis_up$',
        '^gatehouse_gateway_revocation_contact_age_seconds$',
        '^nodejs_eventloop_lag_p99_seconds$',
      ],
    },
    {
      dimensions: [['service', 'mode']],
      metric_name_selectors: ['^gatehouse_gateway_limit_decisions_total$'],
    },
    { dimensions: [['service', 'code']], metric_name_selectors: ['^gatehouse_gateway_refusals_total$'] },
  ],
  origin: [
    {
      dimensions: [['service']],
      metric_name_selectors: [
        '^gatehouse_origin_database_connections_(in_use|max)$',
        '^gatehouse_origin_database_(up|waiting)$',
        '^gatehouse_origin_redis_up$',
        '^gatehouse_origin_locked_accounts$',
        '^gatehouse_origin_password_tasks_shed_total$',
        '^nodejs_eventloop_lag_p99_seconds$',
      ],
    },
    {
      dimensions: [['service', 'outcome']],
      metric_name_selectors: ['^gatehouse_origin_logins_total$', '^gatehouse_origin_refreshes_total$'],
    },
  ],
}

/** Configuration of the collector beside one service: metrics to CloudWatch, traces to X-Ray. */
export function collectorConfiguration(service: keyof typeof kept, region: string, logGroup: string): string {
  const port = service === 'gateway' ? ports.gatewayMetrics : ports.originMetrics
  return stringify({
    receivers: {
      prometheus: {
        config: {
          scrape_configs: [
            {
              job_name: service,
              scrape_interval: '30s',
              static_configs: [{ targets: [`127.0.0.1:${port}`], labels: { service } }],
            },
          ],
        },
      },
      otlp: { protocols: { http: { endpoint: `127.0.0.1:${ports.otlp}` } } },
    },
    processors: {
      // The name of the task, for log streams and traces.
      resourcedetection: { detectors: ['env', 'ecs'] },
      batch: { timeout: '30s' },
    },
    exporters: {
      awsemf: {
        region,
        namespace: metricsNamespace,
        log_group_name: logGroup,
        log_stream_name: `${service}/{TaskId}`,
        dimension_rollup_option: 'NoDimensionRollup',
        metric_declarations: kept[service],
        // The collector starts with its service, so the first value of a counter is an increase.
        retain_initial_value_of_delta_metric: true,
      },
      awsxray: { region },
    },
    service: {
      pipelines: {
        metrics: {
          receivers: ['prometheus'],
          processors: ['resourcedetection', 'batch'],
          exporters: ['awsemf'],
        },
        traces: { receivers: ['otlp'], processors: ['resourcedetection', 'batch'], exporters: ['awsxray'] },
      },
    },
  })
}
