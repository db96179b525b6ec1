import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { run } from '../../tools/servers/process/run.ts'
import { cachedFolder } from '../../tools/servers/programs/cache-folder.ts'
import { exampleFile, examples, readExample } from './installations/examples.ts'
import { startMotoServer } from './moto-server.ts'

/**
 * `npm run check:aws`: the CDK app without an account of AWS. Types, tests of the templates and
 * cdk-nag; `cdk synth` of each example, checked by cfn-lint and deployed into a moto server. pip
 * fetches cfn-lint and moto once.
 */

const pythonPackages = ['cfn-lint==1.58.0', 'moto[server]==5.2.5']

const root = fileURLToPath(new URL('../../', import.meta.url))
const here = fileURLToPath(new URL('./', import.meta.url))

const say = (line: string) => process.stdout.write(`${line}\n`)

async function pythonTools(): Promise<string> {
  try {
    await run('python3', ['-m', 'pip', '--version'])
  } catch (cause) {
    throw new Error('npm run check:aws needs python3 with pip on the PATH: cfn-lint and moto are for it', {
      cause,
    })
  }
  return cachedFolder('aws-cfn-lint-1.58.0-moto-5.2.5', async (target) => {
    say(`Installing ${pythonPackages.join(', ')} ...`)
    // Its own versions of what it needs, whatever the machine has.
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', target, ...pythonPackages])
  })
}

async function check(): Promise<void> {
  const python = await pythonTools()
  const env = { ...process.env, PYTHONPATH: python }
  await run('npx', ['tsc', '-p', 'deploy/aws'], { cwd: root })
  await run('npx', ['vitest', 'run', '--config', 'deploy/aws/vitest.config.ts'], { cwd: root })
  say('deploy/aws: types and templates are as the tests say; cdk-nag finds nothing unexplained.')
  for (const name of examples) {
    const folder = fileURLToPath(new URL(`../../.cache/aws-synth/${name}`, import.meta.url))
    const { name: installation, region, account } = readExample(name)
    await run(
      'npx',
      [
        'cdk',
        'synth',
        '--quiet',
        '--no-notices',
        '--output',
        folder,
        '-c',
        `installation=${exampleFile(name)}`,
      ],
      // No credentials and no profile: a look-up would fail.
      { cwd: here, env: { ...process.env, AWS_EC2_METADATA_DISABLED: 'true', AWS_CONFIG_FILE: '/dev/null' } },
    )
    await run(
      join(python, 'bin/cfn-lint'),
      ['--non-zero-exit-code', 'error', `${folder}/${installation}-*.template.json`],
      { env },
    )
    say(`${name}.yaml: cdk synth works offline; cfn-lint finds no error.`)
    const moto = await startMotoServer(env, account)
    try {
      const args = ['moto_deploy.py', folder, installation, region, moto.url]
      say((await run('python3', args, { cwd: here, env })).trim())
    } finally {
      await moto.stop()
    }
  }
}

try {
  await check()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`)
  process.exitCode = 1
}
