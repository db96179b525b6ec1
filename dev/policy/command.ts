import { parseArgs } from 'node:util'
import { readPolicyFile } from '../../gateway/adapters/node/policy-reload.ts'
import { PolicyFileError, parsePolicyFile, parseYaml } from '../../gateway/policy/policy-file.ts'
import { CommandError, runCommand, UsageError } from '../../shared/node/cli.ts'
import { configFromEnvironment } from '../../shared/node/environment.ts'
import { readClaims, readKnownNames } from './account-claims.ts'
import { checkPolicy } from './check-policy.ts'
import { describeStep, placeOf } from './describe-steps.ts'
import { testPolicy } from './expectations.ts'
import { openApiSchema, rowsFromOpenApi } from './from-openapi.ts'
import { createLocalGateway } from './local-gateway.ts'

const usage = `Usage: npm run policy -- <command>

  check FILE                            finds errors, unknown names, and rows that others shadow
  explain METHOD PATH [--as EMAIL]      shows each step of a decision with its reason
  from OPENAPI --upstream NAME          prints rows for the operations of an OpenAPI document
  test FILE                             compares decisions with those that FILE expects

Options
  --policy FILE        explain: the policy file (POLICY_FILE)
  --upstreams A,B      check, explain: names of upstreams (those of UPSTREAMS)
  --offline            check: does not compare permissions and features with the database
  --prefix /PATH       from: put before each path, which the row then rewrites

Exit codes: 0 all is well, 1 an error or a difference, 64 wrong usage, 69 no database, 78 a variable is wrong
`

const print = (line: string) => process.stdout.write(`${line}\n`)

function parseCommand(given: readonly string[]) {
  try {
    return parseArgs({
      args: [...given],
      allowPositionals: true,
      options: {
        as: { type: 'string' },
        policy: { type: 'string' },
        upstreams: { type: 'string' },
        upstream: { type: 'string' },
        prefix: { type: 'string' },
        offline: { type: 'boolean' },
      },
    })
  } catch (error) {
    throw new UsageError((error as Error).message)
  }
}

type Options = ReturnType<typeof parseCommand>['values']

function upstreamsFrom({ upstreams }: Options): string[] {
  if (upstreams !== undefined) return upstreams.split(',').filter(Boolean)
  return Object.keys(configFromEnvironment(['UPSTREAMS']).UPSTREAMS)
}

/** @throws CommandError where a file cannot be read */
async function readOrFail<Content>(path: string, read: (path: string) => Content | Promise<Content>) {
  try {
    return await read(path)
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) throw new CommandError(error.message)
    throw error
  }
}

async function check(path: string, options: Options): Promise<void> {
  const names = options.offline ? undefined : await readKnownNames()
  const file = await readOrFail(path, readPolicyFile)
  for (const { line, text } of checkPolicy({ file, upstreams: upstreamsFrom(options), names }))
    print(`${path}:${line}: warning: ${text}`)
  const compared = names ? '' : ' Permissions and features were not compared.'
  print(`${path}: ${parsePolicyFile(file.text, path).length} rows can be used.${compared}`)
}

async function explain(method: string, target: string, options: Options): Promise<void> {
  const path = options.policy ?? configFromEnvironment(['POLICY_FILE']).POLICY_FILE
  const file = path ? await readOrFail(path, readPolicyFile) : { name: 'no file', text: 'routes: []' }
  const claims = options.as === undefined ? undefined : await readClaims(options.as)
  const added = parsePolicyFile(file.text, file.name)
  const gateway = await createLocalGateway({
    file,
    upstreams: upstreamsFrom(options),
    environment: process.env,
  })
  const steps = await gateway.explain(method.toUpperCase(), target, claims)
  await gateway.close()
  print(`${method.toUpperCase()} ${target} as ${options.as ?? 'nobody'}\n`)
  for (const step of steps) print(describeStep(step, (row) => placeOf(row, file, added)))
  const { problem, decision } = steps.at(-1) ?? {}
  print(
    problem
      ? `\n${problem.status} ${problem.code}`
      : `\nallowed: goes to ${decision?.row.upstream} as ${decision?.target}`,
  )
}

async function fromOpenApi(path: string, { upstream, prefix = '' }: Options): Promise<void> {
  if (upstream === undefined) throw new UsageError('from needs --upstream NAME.')
  if (prefix !== '' && !/^(\/[\w.~-]+)+$/.test(prefix))
    throw new UsageError('--prefix is a path such as /v1.')
  const { text } = await readOrFail(path, readPolicyFile)
  const { data } = parseYaml(text, path, openApiSchema)
  const { yaml, left } = rowsFromOpenApi(data, { upstream, prefix })
  process.stdout.write(yaml)
  if (left.length > 0)
    throw new CommandError(
      `No row can have these paths: ${left.join(', ')}. Write them with whole parameters.`,
    )
}

async function compare(path: string): Promise<void> {
  const { count, differences } = await readOrFail(path, testPolicy)
  for (const { line, text } of differences) process.stderr.write(`${path}:${line}: ${text}\n`)
  if (differences.length > 0) throw new CommandError(`${differences.length} of ${count} decisions differ.`)
  print(`${path}: ${count} decisions are as expected.`)
}

await runCommand(
  async () => {
    const { values, positionals } = parseCommand(process.argv.slice(2))
    const [command, first, second] = positionals
    if (command === 'check' && first) await check(first, values)
    else if (command === 'explain' && first && second) await explain(first, second, values)
    else if (command === 'from' && first) await fromOpenApi(first, values)
    else if (command === 'test' && first) await compare(first)
    else throw new UsageError(command ? `${command} lacks an argument, or is no command.` : 'No command.')
  },
  { usage, expectedErrors: [PolicyFileError] },
)
