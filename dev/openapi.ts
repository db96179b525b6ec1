import { readFileSync } from 'node:fs'
import { describeApi } from '../gateway/openapi/document.ts'
import { parsePolicyFile } from '../gateway/policy/policy-file.ts'
import { routes } from '../gateway/routes.ts'
import { describeInternalApi } from '../origin/openapi/internal-document.ts'
import packageJson from '../package.json' with { type: 'json' }
import { runCommand, UsageError } from '../shared/node/cli.ts'
import { configFromEnvironment } from '../shared/node/environment.ts'

const usage = `Usage: npm run --silent openapi -- [public|internal]

Prints an OpenAPI description as JSON. public (the default) is what the gateway serves as /openapi.json, with
PRODUCT_NAME, PASSWORD_MIN_LENGTH and POLICY_FILE as they are set; internal is /internal of the origin.
`

const { version } = packageJson

function describe(api: string): object {
  switch (api) {
    case 'public': {
      const config = configFromEnvironment(['PRODUCT_NAME', 'PASSWORD_MIN_LENGTH', 'POLICY_FILE'])
      const file = config.POLICY_FILE
      const fileRows = file ? parsePolicyFile(readFileSync(file, 'utf8'), file).map(({ row }) => row) : []
      return describeApi({
        rows: routes,
        fileRows,
        version,
        product: config.PRODUCT_NAME,
        passwordMinLength: config.PASSWORD_MIN_LENGTH,
      })
    }
    case 'internal': {
      const { PRODUCT_NAME: product } = configFromEnvironment(['PRODUCT_NAME'])
      return describeInternalApi({ version, product })
    }
    default:
      throw new UsageError(`There is no API ${api}.`)
  }
}

await runCommand(
  async () => {
    const [api = 'public'] = process.argv.slice(2)
    process.stdout.write(`${JSON.stringify(describe(api), null, 2)}\n`)
  },
  { usage },
)
