import { generateSecrets } from '../../dev/secrets.ts'
import { run } from '../../tools/servers/process/run.ts'
import { readInstallation } from './configuration.ts'
import { filledSecrets } from './stacks/secrets-stack.ts'

/**
 * `node deploy/aws/fill-secrets.ts INSTALLATION`: makes the keys of a new installation and puts
 * them into Secrets Manager by the AWS CLI, once. SMTP_USERNAME and SMTP_PASSWORD are those of SES.
 */

/** Runs the AWS CLI and resolves with its output. */
type Aws = (args: string[]) => Promise<string>

export class AlreadyFilledError extends Error {}

/**
 * @throws AlreadyFilledError where one secret has a field: it may be the only copy of a key that
 *   data depends on
 */
export async function fillSecrets(
  name: string,
  mail: { username: string; password: string },
  aws: Aws,
): Promise<void> {
  const values: Record<string, string> = { ...(await generateSecrets()), ...mail }
  const secrets = Object.entries(filledSecrets)
  for (const [secret, fields] of secrets) {
    const text = await aws(['get-secret-value', `--secret-id=${name}/${secret}`, '--query=SecretString'])
    const present = Object.keys(JSON.parse(JSON.parse(text)))
    if (fields.some((field) => present.includes(field)))
      throw new AlreadyFilledError(`${name}/${secret} is filled; nothing was changed`)
  }
  for (const [secret, fields] of secrets) {
    const filled = Object.fromEntries(fields.map((field) => [field, values[field]]))
    await aws([
      'put-secret-value',
      `--secret-id=${name}/${secret}`,
      // A second call with this token and other values fails, even where two run at once.
      '--client-request-token=00000000-0000-4000-8000-000000000001',
      `--secret-string=${JSON.stringify(filled)}`,
    ])
  }
}

if (import.meta.main) {
  const [path] = process.argv.slice(2)
  const { SMTP_USERNAME: username, SMTP_PASSWORD: password } = process.env
  if (!path || !username || !password) {
    process.stderr.write(
      'Usage: SMTP_USERNAME=... SMTP_PASSWORD=... node deploy/aws/fill-secrets.ts INSTALLATION\n',
    )
    process.exit(64)
  }
  const { name, region } = readInstallation(path)
  await fillSecrets(name, { username, password }, (args) =>
    run('aws', ['secretsmanager', `--region=${region}`, '--output=json', ...args]),
  )
}
