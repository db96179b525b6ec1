import { globSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const packages = join(root, 'test/runtimes/node_modules')

export interface Runtime {
  /** Its column in the table. */
  name: string
  /** Starts the gateway on it. The suite only gets a port. */
  start(options: StartOptions): StartCommand
}

interface StartOptions {
  port: number
  /** Variables of the gateway. */
  environment: Record<string, string>
  /** A file of rows that come to those in code. */
  policyFile: string
  /** Where what a start needs may be written. */
  folder: string
}

export interface StartCommand {
  command: string
  args: string[]
  env: Record<string, string>
}

/**
 * For a process of its own, which listens, reads files and drains: at once, as nobody sends it
 * more.
 */
const asProcess = ({ port, environment, policyFile }: StartOptions) => ({
  ...environment,
  GATEWAY_PORT: String(port),
  POLICY_FILE: policyFile,
  DRAIN_DELAY_SECONDS: '0',
})

function node(name: string, command: string, variables: Record<string, string> = {}): Runtime {
  return {
    name,
    start: (options) => ({
      command,
      args: [join(root, 'gateway/adapters/node/main.ts')],
      env: { ...asProcess(options), ...variables },
    }),
  }
}

/**
 * The program inside the package of this platform: install scripts, which would put it where its
 * name is, are not run.
 *
 * @throws Error where there is none for this platform
 */
function program(pattern: string): string {
  const [found] = globSync(join(packages, pattern))
  if (found === undefined) throw new Error(`No ${pattern} for this platform in test/runtimes/node_modules.`)
  return found
}

/** A runtime whose project has a command to start the gateway by. */
function project(name: string, pattern: string, args: string[]): Runtime {
  return {
    name,
    start(options) {
      const command = program(pattern)
      const path = `${dirname(command)}:${process.env.PATH}`
      return { command, args, env: { ...asProcess(options), PATH: path } }
    },
  }
}

/** Settings that keep wrangler from prompts and from network calls. */
const offline = { CI: '1', WRANGLER_SEND_METRICS: 'false', CLOUDFLARE_CF_FETCH_ENABLED: 'false' }

/**
 * workerd, as wrangler starts it for the project in examples/; rows cannot come from a file there,
 * so that the Worker brings them.
 */
const workers: Runtime = {
  name: 'workers',
  start({ port, environment, folder }) {
    const variables = join(folder, 'variables')
    writeFileSync(
      variables,
      Object.entries(environment)
        .map(([name, value]) => `${name}='${value}'\n`)
        .join(''),
    )
    return {
      command: process.execPath,
      args: [
        ...[join(packages, 'wrangler/bin/wrangler.js'), 'dev', join(root, 'test/runtimes/worker.ts')],
        ...['--config', join(root, 'examples/workers/wrangler.jsonc'), '--env-file', variables],
        ...['--ip', '127.0.0.1', '--port', String(port), '--persist-to', folder],
      ],
      env: offline,
    }
  },
}

export const runtimes: readonly Runtime[] = [
  node('node-26', process.execPath),
  node('node-26-no-fast-path', process.execPath, { GATEWAY_FAST_PATH: 'false' }),
  node('node-24', join(packages, `node-24-${process.platform}-${process.arch}/bin/node`)),
  project('bun', '@oven/bun-*/bin/bun', ['run', '--cwd', join(root, 'examples/bun'), 'start']),
  project('deno', '@deno/*/deno', ['task', '--cwd', join(root, 'examples/deno'), 'start']),
  workers,
]
