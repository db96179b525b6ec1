import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib'
import * as ses from 'aws-cdk-lib/aws-ses'
import type { Construct } from 'constructs'
import type { Installation } from '../configuration.ts'

/** The domain that mail comes from, with the records that its DNS needs. */
export class MailStack extends Stack {
  constructor(scope: Construct, id: string, { name, mail }: Installation, props: StackProps) {
    super(scope, id, props)
    const configurationSet = new ses.ConfigurationSet(this, 'Sending', {
      configurationSetName: name,
      tlsPolicy: ses.ConfigurationSetTlsPolicy.REQUIRE,
      reputationMetrics: true,
      suppressionReasons: ses.SuppressionReasons.BOUNCES_AND_COMPLAINTS,
    })
    const identity = new ses.EmailIdentity(this, 'Domain', {
      identity: ses.Identity.domain(mail.domain),
      configurationSet,
      mailFromDomain: `bounce.${mail.domain}`,
    })
    identity.dkimRecords.forEach(({ name: record, value }, index) => {
      new CfnOutput(this, `Dkim${index + 1}`, { value: `${record} CNAME ${value}` })
    })
  }
}
