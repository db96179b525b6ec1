import type * as elb from 'aws-cdk-lib/aws-elasticloadbalancingv2'
import * as logs from 'aws-cdk-lib/aws-logs'
import * as waf from 'aws-cdk-lib/aws-wafv2'
import type { Construct } from 'constructs'
import type { Installation } from '../configuration.ts'

const visibility = (metricName: string) => ({
  cloudWatchMetricsEnabled: true,
  sampledRequestsEnabled: true,
  metricName,
})

/** Rules of AWS, in the order of their evaluation. */
const managed = [
  { name: 'AWSManagedRulesAmazonIpReputationList', counted: [] },
  { name: 'AWSManagedRulesKnownBadInputsRuleSet', counted: [] },
  // Bodies and URLs within them are legitimate here: a redirect URI, a policy, a long assertion.
  {
    name: 'AWSManagedRulesCommonRuleSet',
    counted: ['SizeRestrictions_BODY', 'GenericRFI_BODY', 'GenericRFI_QUERYARGUMENTS'],
  },
]

/** AWS WAF before the balancer: a rate for each address, and managed rules. */
export function createFirewall(
  scope: Construct,
  { name, waf: settings, logs: { days } }: Installation,
  balancer: elb.ApplicationLoadBalancer,
): void {
  if (settings === undefined) return
  const acl = new waf.CfnWebACL(scope, 'Firewall', {
    name,
    scope: 'REGIONAL',
    defaultAction: { allow: {} },
    visibilityConfig: visibility(name),
    rules: [
      {
        name: 'rate',
        priority: 0,
        action: { block: { customResponse: { responseCode: 429 } } },
        statement: {
          rateBasedStatement: {
            limit: settings.requestsPerFiveMinutes,
            evaluationWindowSec: 300,
            aggregateKeyType: 'IP',
          },
        },
        visibilityConfig: visibility('rate'),
      },
      ...managed.map(({ name: group, counted }, index) => ({
        name: group,
        priority: index + 1,
        overrideAction: { none: {} },
        statement: {
          managedRuleGroupStatement: {
            vendorName: 'AWS',
            name: group,
            ruleActionOverrides: counted.map((rule) => ({ name: rule, actionToUse: { count: {} } })),
          },
        },
        visibilityConfig: visibility(group),
      })),
    ],
  })
  new waf.CfnWebACLAssociation(scope, 'FirewallAssociation', {
    resourceArn: balancer.loadBalancerArn,
    webAclArn: acl.attrArn,
  })
  // WAF writes to groups of this prefix alone.
  const logGroup = new logs.LogGroup(scope, 'FirewallLog', {
    logGroupName: `aws-waf-logs-${name}`,
    retention: days,
  })
  new waf.CfnLoggingConfiguration(scope, 'FirewallLogging', {
    resourceArn: acl.attrArn,
    logDestinationConfigs: [logGroup.logGroupArn],
    // Tokens do not belong into logs.
    redactedFields: ['authorization', 'cookie'].map((header) => ({ singleHeader: { Name: header } })),
  })
}
