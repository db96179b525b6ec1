import { App } from 'aws-cdk-lib'
import { Match, Template } from 'aws-cdk-lib/assertions'
import { beforeAll, describe, expect, test } from 'vitest'
import { createInstallation } from './create-installation.ts'
import { examples, readExample } from './installations/examples.ts'

describe.each(examples)('access in the templates of %s.yaml', (name) => {
  const installation = readExample(name)
  let templates: Record<keyof ReturnType<typeof createInstallation>, Template>
  beforeAll(() => {
    const stacks = createInstallation(new App(), installation, '1.2.3')
    templates = Object.fromEntries(
      Object.entries(stacks).map(([stack, value]) => [stack, Template.fromStack(value)]),
    ) as typeof templates
  })

  test('a firewall where the file asks: a rate for each address, managed rules, no token in its log', () => {
    const { services } = templates
    services.resourceCountIs('AWS::WAFv2::WebACL', installation.waf === undefined ? 0 : 1)
    if (installation.waf === undefined) return expect(installation.waf).toBeUndefined()
    const limit = installation.waf.requestsPerFiveMinutes
    services.hasResourceProperties('AWS::WAFv2::WebACL', {
      Rules: Match.arrayWith([
        Match.objectLike({ Statement: { RateBasedStatement: Match.objectLike({ Limit: limit }) } }),
        Match.objectLike({ Name: 'AWSManagedRulesCommonRuleSet' }),
      ]),
    })
    services.resourceCountIs('AWS::WAFv2::WebACLAssociation', 1)
    services.hasResourceProperties('AWS::WAFv2::LoggingConfiguration', {
      RedactedFields: [{ SingleHeader: { Name: 'authorization' } }, { SingleHeader: { Name: 'cookie' } }],
    })
    return expect(limit).toBeGreaterThan(0)
  })

  test('the role of the workflow: one branch of one repository, and the roles of the CDK alone', () => {
    const { github } = installation
    const [role] = Object.values(templates.registry.findResources('AWS::IAM::Role')).filter(
      ({ Properties }) => Properties.RoleName === `${installation.name}-deploy`,
    )
    const [trust] = role?.Properties.AssumeRolePolicyDocument.Statement ?? []
    expect(trust.Condition.StringEquals).toEqual({
      'token.actions.githubusercontent.com:aud': 'sts.amazonaws.com',
      'token.actions.githubusercontent.com:sub': `repo:${github.repository}:ref:refs/heads/${github.branch}`,
    })
    const statements = Object.values(templates.registry.findResources('AWS::IAM::Policy')).flatMap(
      ({ Properties }) =>
        Properties.PolicyDocument.Statement as { Action: string | string[]; Resource: unknown }[],
    )
    const actions = statements.flatMap(({ Action }) => Action)
    expect(actions.filter((action) => !/^(ecr:|sts:AssumeRole$)/.test(action))).toEqual([])
    const assumed = statements.filter(({ Action }) => Action === 'sts:AssumeRole')
    expect(JSON.stringify(assumed.map(({ Resource }) => Resource)).match(/role\/[^"]*/g)).toHaveLength(3)
    expect(JSON.stringify(assumed)).not.toContain('"*"')
  })

  test('private tasks reach services of AWS by endpoints, and stores have no way out', () => {
    const { network } = templates
    const services = Object.values(network.findResources('AWS::EC2::VPCEndpoint')).map(({ Properties }) =>
      JSON.stringify(Properties.ServiceName),
    )
    for (const service of ['ecr.api', 'ecr.dkr', 'logs', 'secretsmanager', 'xray', 'email-smtp', '.s3'])
      expect(services.filter((each) => each.includes(service))).toHaveLength(1)
    const routes = Object.entries(network.findResources('AWS::EC2::Route'))
    expect(routes.length).toBeGreaterThan(1)
    expect(routes.filter(([id]) => id.includes('data'))).toEqual([])
  })

  test('mail leaves over TLS from the domain of the file, whose DKIM records are printed', () => {
    const { mail } = templates
    mail.hasResourceProperties('AWS::SES::EmailIdentity', { EmailIdentity: installation.mail.domain })
    mail.hasResourceProperties('AWS::SES::ConfigurationSet', { DeliveryOptions: { TlsPolicy: 'REQUIRE' } })
    expect(Object.keys(mail.findOutputs('*')).filter((id) => id.startsWith('Dkim'))).toHaveLength(3)
  })
})
