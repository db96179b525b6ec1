import { Duration, RemovalPolicy } from 'aws-cdk-lib'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import * as s3 from 'aws-cdk-lib/aws-s3'
import type { Construct } from 'constructs'
import type { Installation } from '../configuration.ts'
import { ports, times } from '../times.ts'
import type { NetworkStack } from './network-stack.ts'

/** The balancer, with a pair of target groups that blue/green deployments swap. */
export function createBalancer(scope: Construct, installation: Installation, network: NetworkStack) {
  const accessLogs = new s3.Bucket(scope, 'AccessLogs', {
    // The balancer writes with no other encryption.
    encryption: s3.BucketEncryption.S3_MANAGED,
    blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
    enforceSSL: true,
    removalPolicy: RemovalPolicy.RETAIN,
    lifecycleRules: [{ expiration: Duration.days(installation.logs.days) }],
  })
  const balancer = new elb.ApplicationLoadBalancer(scope, 'Balancer', {
    loadBalancerName: installation.name,
    vpc: network.vpc,
    internetFacing: true,
    vpcSubnets: { subnetType: ec2.SubnetType.PUBLIC },
    securityGroup: network.groups.balancer,
    idleTimeout: Duration.seconds(times.balancerIdle),
    // The gateway judges headers itself, and answers malformed ones.
    dropInvalidHeaderFields: true,
    desyncMitigationMode: elb.DesyncMitigationMode.STRICTEST,
    // The gateway reads the host, and the client from the right of X-Forwarded-For.
    preserveHostHeader: true,
    xffHeaderProcessingMode: elb.XffHeaderProcessingMode.APPEND,
    deletionProtection: true,
  })
  balancer.logAccessLogs(accessLogs)
  balancer.addRedirect({ sourcePort: 80, targetPort: 443, open: false })

  const createTargets = (id: string) =>
    new elb.ApplicationTargetGroup(scope, id, {
      vpc: network.vpc,
      port: ports.gateway,
      protocol: elb.ApplicationProtocol.HTTP,
      targetType: elb.TargetType.IP,
      deregistrationDelay: Duration.seconds(times.deregistration),
      loadBalancingAlgorithmType: elb.TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS,
      healthCheck: {
        path: '/ready',
        healthyHttpCodes: '200',
        interval: Duration.seconds(times.health.interval),
        timeout: Duration.seconds(times.health.timeout),
        healthyThresholdCount: times.health.healthy,
        unhealthyThresholdCount: times.health.unhealthy,
      },
    })
  const blue = createTargets('Blue')
  const green = createTargets('Green')
  /** Other hosts are 421, as the gateway says it; an IP address is none of ours. */
  const createListener = (id: string, port: number, targets: elb.ApplicationTargetGroup) => {
    const listener = balancer.addListener(id, {
      port,
      protocol: elb.ApplicationProtocol.HTTPS,
      certificates: [elb.ListenerCertificate.fromArn(installation.certificate)],
      sslPolicy: elb.SslPolicy.TLS13_12_RES_PQ,
      open: false,
      defaultAction: elb.ListenerAction.fixedResponse(421, {
        // A problem document; the balancer knows no other type of JSON.
        contentType: 'application/json',
        messageBody: '{"status":421,"code":"misdirected_request"}',
      }),
    })
    return new elb.ApplicationListenerRule(scope, `${id}Rule`, {
      listener,
      priority: 1,
      conditions: [elb.ListenerCondition.hostHeaders([installation.domain])],
      targetGroups: [targets],
    })
  }
  return {
    balancer,
    blue,
    green,
    production: createListener('Production', 443, blue),
    test: createListener('Test', ports.testListener, green),
  }
}
