import { join } from 'node:path'
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

export const runtimes: readonly Runtime[] = [
  node('node-26', process.execPath),
  node('node-24', join(packages, `node-24-${process.platform}-${process.arch}/bin/node`)),
]
