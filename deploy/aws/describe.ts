import { readInstallation } from './configuration.ts'

/**
 * `node deploy/aws/describe.ts FILE`: variables by which the AWS CLI and Docker find an
 * installation.
 */
const { name, account, region, domain } = readInstallation(process.argv[2] ?? '')
const variables = {
  NAME: name,
  DOMAIN: domain,
  AWS_REGION: region,
  AWS_ROLE_ARN: `arn:aws:iam::${account}:role/${name}-deploy`,
  REGISTRY: `${account}.dkr.ecr.${region}.amazonaws.com`,
}
for (const [variable, value] of Object.entries(variables)) process.stdout.write(`${variable}=${value}\n`)
