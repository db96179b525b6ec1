import { globSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const packages = join(root, 'test/runtimes/node_modules')

export interface Runtime {
  /** Its column in the table. */
  name: string
  /** How the gateway is started on it. The suite knows nothing but a port. */
  start(options: StartOptions): StartCommand
}

interface StartOptions {
  port: number
  /** Variables of the gateway. */
  environment: Record<string, string>
  /** A file of rows that come to those in code. */
  policyFile: string
}

export interface StartCommand {
  command: string
  args: string[]
  env: Record<string, string>
}

function node(name: string, command: string): Runtime {
  return {
    name,
    start: ({ port, environment, policyFile }) => ({
      command,
      args: [join(root, 'gateway/adapters/node/main.ts')],
      env: { ...environment, GATEWAY_PORT: String(port), POLICY_FILE: policyFile },
    }),
  }
}

/**
 * The program inside the package of this platform: install scripts, which would put it where its name is, are not run.
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
    start({ port, environment, policyFile }) {
      const command = program(pattern)
      return {
        command,
        args,
        env: {
          ...environment,
          PATH: `${dirname(command)}:${process.env.PATH}`,
          GATEWAY_PORT: String(port),
          POLICY_FILE: policyFile,
        },
      }
    },
  }
}

export const runtimes: readonly Runtime[] = [
  node('node-26', process.execPath),
  node('node-24', join(packages, `node-24-${process.platform}-${process.arch}/bin/node`)),
  project('bun', '@oven/bun-*/bin/bun', ['run', '--cwd', join(root, 'examples/bun'), 'start']),
  project('deno', '@deno/*/deno', ['task', '--cwd', join(root, 'examples/deno'), 'start']),
]
