import { Stack, type StackProps } from 'aws-cdk-lib'
import * as ec2 from 'aws-cdk-lib/aws-ec2'
import * as logs from 'aws-cdk-lib/aws-logs'
import type { Construct } from 'constructs'
import type { Installation } from '../configuration.ts'
import { ports } from '../times.ts'

const groupNames = [
  'balancer',
  'gateway',
  'origin',
  'prepare',
  'smoke',
  'database',
  'proxy',
  'cache',
] as const
export type SecurityGroups = Record<(typeof groupNames)[number], ec2.SecurityGroup>

/** Services of AWS that tasks reach without leaving the network. */
const endpoints = {
  ecrApi: ec2.InterfaceVpcEndpointAwsService.ECR,
  ecrDocker: ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
  logs: ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
  secrets: ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
  xray: ec2.InterfaceVpcEndpointAwsService.XRAY,
  mail: ec2.InterfaceVpcEndpointAwsService.EMAIL_SMTP,
}

/** The network: the balancer is public, tasks are private, stores have no way out. */
export class NetworkStack extends Stack {
  readonly vpc: ec2.Vpc
  readonly groups: SecurityGroups
  private readonly zones: string[]

  constructor(scope: Construct, id: string, installation: Installation, props: StackProps) {
    super(scope, id, props)
    const { network, zones } = installation
    this.zones = zones
    // Fixed addresses, so that the balancer can admit the smoke test by them.
    const addresses = Array.from({ length: network.natGateways }, (_, index) => {
      return new ec2.CfnEIP(this, `NatAddress${index}`, { domain: 'vpc' })
    })
    this.vpc = new ec2.Vpc(this, 'Vpc', {
      ipAddresses: ec2.IpAddresses.cidr(network.cidr),
      availabilityZones: zones,
      natGateways: network.natGateways,
      natGatewayProvider: ec2.NatProvider.gateway({
        eipAllocationIds: addresses.map(({ attrAllocationId }) => attrAllocationId),
      }),
      restrictDefaultSecurityGroup: false,
      subnetConfiguration: [
        { name: 'public', subnetType: ec2.SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        { name: 'tasks', subnetType: ec2.SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 22 },
        { name: 'data', subnetType: ec2.SubnetType.PRIVATE_ISOLATED, cidrMask: 24 },
      ],
      gatewayEndpoints: { s3: { service: ec2.GatewayVpcEndpointAwsService.S3 } },
    })
    this.vpc.addFlowLog('FlowLog', {
      trafficType: ec2.FlowLogTrafficType.REJECT,
      destination: ec2.FlowLogDestination.toCloudWatchLogs(
        new logs.LogGroup(this, 'FlowLogGroup', { retention: installation.logs.days }),
      ),
    })
    this.groups = this.createGroups()
    this.connect(addresses)
    for (const [name, service] of Object.entries(endpoints)) {
      const endpoint = this.vpc.addInterfaceEndpoint(name, { service, open: false })
      for (const each of ['gateway', 'origin', 'prepare', 'smoke'] as const)
        endpoint.connections.allowFrom(
          this.groups[each],
          ec2.Port.tcp(name === 'mail' ? ports.mail : 443),
          `${each} to ${name}`,
        )
    }
  }

  /** The zones of the file: a look-up needs an account, and may find others tomorrow. */
  override get availabilityZones(): string[] {
    return this.zones
  }

  private createGroups(): SecurityGroups {
    const create = (name: string) =>
      new ec2.SecurityGroup(this, `${name}Group`, {
        vpc: this.vpc,
        description: `Gatehouse ${name}`,
        allowAllOutbound: false,
      })
    return Object.fromEntries(groupNames.map((name) => [name, create(name)])) as SecurityGroups
  }

  private connect(addresses: readonly ec2.CfnEIP[]): void {
    const { balancer, gateway, origin, prepare, smoke, database, proxy, cache } = this.groups
    const connect = (from: ec2.SecurityGroup, to: ec2.SecurityGroup, port: number, why: string) => {
      from.connections.allowTo(to, ec2.Port.tcp(port), why)
    }
    for (const port of [80, 443]) balancer.addIngressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(port), 'clients')
    for (const { attrPublicIp } of addresses)
      balancer.addIngressRule(
        ec2.Peer.ipv4(`${attrPublicIp}/32`),
        ec2.Port.tcp(ports.testListener),
        'the smoke test, by the addresses of the NAT gateways',
      )
    connect(balancer, gateway, ports.gateway, 'requests and health checks')
    connect(gateway, origin, ports.origin, 'requests by Service Connect')
    connect(gateway, cache, ports.redis, 'limits and revocations')
    connect(origin, cache, ports.redis, 'limits and revocations')
    for (const each of [origin, prepare]) {
      connect(each, database, ports.postgres, 'PostgreSQL')
      connect(each, proxy, ports.postgres, 'RDS Proxy')
    }
    connect(proxy, database, ports.postgres, 'pooled connections')
    // Public ECR has the collector's image, and the smoke test asks the public name.
    for (const each of [gateway, origin, prepare, smoke])
      each.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(443), 'services of AWS, by NAT')
    smoke.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(ports.testListener), 'the test listener')
    origin.addEgressRule(ec2.Peer.anyIpv4(), ec2.Port.tcp(ports.mail), 'mail by SES')
  }
}
