import { type App, Tags } from 'aws-cdk-lib'
import { acknowledgeRules } from './acknowledgements.ts'
import type { Installation } from './configuration.ts'
import { DataStack } from './stacks/data-stack.ts'
import { MailStack } from './stacks/mail-stack.ts'
import { MonitoringStack } from './stacks/monitoring-stack.ts'
import { NetworkStack } from './stacks/network-stack.ts'
import { RegistryStack } from './stacks/registry-stack.ts'
import { SecretsStack } from './stacks/secrets-stack.ts'
import { ServicesStack } from './stacks/services-stack.ts'

/**
 * The stacks of one installation, in the order of their deployment.
 *
 * @param release tag of the images that run
 */
export function createInstallation(app: App, installation: Installation, release: string) {
  const { name, account, region } = installation
  const props = { env: { account, region }, terminationProtection: true }
  const registry = new RegistryStack(app, `${name}-registry`, installation, props)
  const secrets = new SecretsStack(app, `${name}-secrets`, installation, props)
  const mail = new MailStack(app, `${name}-mail`, installation, props)
  const network = new NetworkStack(app, `${name}-network`, installation, props)
  const data = new DataStack(app, `${name}-data`, installation, network, secrets, props)
  const services = new ServicesStack(
    app,
    `${name}-services`,
    { installation, release, network, data, secrets, registry },
    props,
  )
  const watched = { installation, data, services, secrets }
  const monitoring = new MonitoringStack(app, `${name}-monitoring`, watched, props)
  const stacks = { registry, secrets, mail, network, data, services, monitoring }
  acknowledgeRules(Object.values(stacks), installation)
  Tags.of(app).add('application', name)
  return stacks
}
