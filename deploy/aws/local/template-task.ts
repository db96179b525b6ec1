import { App } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { createInstallation } from '../create-installation.ts'
import { readExample } from '../installations/examples.ts'

/** A container of a synthesized task definition, as ECS would start it. */
export interface TemplateContainer {
  Name: string
  Command?: string[]
  User: string
  ReadonlyRootFilesystem: boolean
  LinuxParameters: { Capabilities: { Drop: string[] } }
  StopTimeout: number
  HealthCheck?: { Command: string[] }
  Environment: { Name: string; Value: unknown }[]
  Secrets?: { Name: string; ValueFrom: unknown }[]
}

/** Fields of each secret, by the id of the secret in the template. */
export type SecretFields = Readonly<Record<string, Readonly<Record<string, string>>>>

export function readContainers(installation: string): Record<string, TemplateContainer> {
  const { services } = createInstallation(new App(), readExample(installation), '1.2.3')
  const definitions = Template.fromStack(services).findResources('AWS::ECS::TaskDefinition')
  const containers = Object.values(definitions).flatMap(
    ({ Properties }) => Properties.ContainerDefinitions as TemplateContainer[],
  )
  return Object.fromEntries(containers.map((container) => [container.Name, container]))
}

/** A text of a template, with the address of this machine in place of what AWS fills in. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null) return String(value)
  const [[intrinsic, argument] = ['', undefined]] = Object.entries(value)
  if (intrinsic === 'Fn::Join') {
    const [separator, parts] = argument as [string, unknown[]]
    return parts.map(textOf).join(separator)
  }
  return '127.0.0.1'
}

/** The id of a secret in the stack of secrets, without hyphens. */
export function secretIdOf(valueFrom: unknown): string {
  const text = JSON.stringify(valueFrom)
  const [, id] = /ExportsOutputRef([a-z]+)[0-9A-F]{8}/.exec(text) ?? []
  if (id === undefined) throw new Error(`${text} is no secret of the stack`)
  return id
}

/** @throws Error where a secret of the container has no value */
export function environmentOfContainer(
  { Name, Environment, Secrets = [] }: TemplateContainer,
  fields: SecretFields,
): Record<string, string> {
  const plain = Environment.map(({ Name: name, Value }) => [name, textOf(Value)] as const)
  const secret = Secrets.map(({ Name: name, ValueFrom }) => {
    const [, field = ''] = /:([\w]+)::"/.exec(JSON.stringify(ValueFrom)) ?? []
    const value = fields[secretIdOf(ValueFrom)]?.[field]
    if (value === undefined) throw new Error(`${Name} has a secret ${name} that nobody fills`)
    return [name, value] as const
  })
  return Object.fromEntries([...plain, ...secret])
}
