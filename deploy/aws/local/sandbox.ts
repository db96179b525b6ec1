import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { findProgram } from '../../../tools/servers/programs/find-program.ts'
import type { TemplateContainer } from './template-task.ts'

/** Where a container finds the authority of this machine's stores. */
export const authorityInside = '/authority.pem'

interface SandboxOptions {
  /** A folder that the users of containers may read; each image is a folder in it. */
  folder: string
  /** Packages of all images. */
  packages: string
  /** Stands in for Amazon's authorities, in the file that the image has for them. */
  authority: string
}

interface StartOptions {
  container: TemplateContainer
  image: string
  /** Arguments of Node. */
  args: readonly string[]
  environment: Record<string, string>
}

/**
 * Starts containers of a task without a container engine: bubblewrap gives a program a root of its
 * own that holds the image, read-only and without capabilities as the template says, and the user
 * of the template. It needs user namespaces that users may create.
 */
export async function createSandbox({ folder, packages, authority }: SandboxOptions) {
  const { command } = await findProgram({ names: ['bwrap'], apt: 'bubblewrap', homebrew: 'bubblewrap' })
  const [bwrap, node] = [join(folder, 'bwrap'), join(folder, 'node')]
  for (const [from, to] of [
    [command, bwrap],
    [process.execPath, node],
  ] as const) {
    await copyFile(from, to)
    await chmod(to, 0o755)
  }

  return function start({ container, image, args, environment }: StartOptions) {
    const [uid, gid] = container.User.split(':').map(Number)
    const bind = container.ReadonlyRootFilesystem ? '--ro-bind' : '--bind'
    const dropped = container.LinuxParameters.Capabilities.Drop
    const ownAuthorities = join(folder, image, 'deploy/rds-ca.pem')
    const sandbox = [
      ...['--ro-bind', '/usr', '/usr', '--ro-bind', '/etc', '/etc'],
      ...['bin', 'lib', 'lib64'].flatMap((name) => ['--symlink', `usr/${name}`, `/${name}`]),
      ...['--ro-bind', node, '/node', '--ro-bind', authority, authorityInside],
      ...[bind, join(folder, image), '/app', bind, packages, '/app/node_modules'],
      ...(existsSync(ownAuthorities) ? ['--ro-bind', authority, '/app/deploy/rds-ca.pem'] : []),
      ...['--dir', '/tmp', '--dev', '/dev', '--unshare-pid', '--proc', '/proc'],
      ...dropped.flatMap((name) => ['--cap-drop', name]),
      ...(container.ReadonlyRootFilesystem ? ['--remount-ro', '/'] : []),
      // Signals go to the program itself, whose process id is written to descriptor 3.
      ...['--as-pid-1', '--info-fd', '3', '--die-with-parent', '--chdir', '/app'],
    ]
    const child: ChildProcess = spawn(bwrap, [...sandbox, '/node', ...args], {
      cwd: '/',
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
      ...(process.getuid?.() === 0 && { uid, gid }),
    })
    const [, out, err, info] = child.stdio as [null, ...NodeJS.ReadableStream[]]
    const started = text(info as NodeJS.ReadableStream).then(
      (json) => (JSON.parse(json) as { 'child-pid': number })['child-pid'],
    )
    // A program that does not start says why on its standard error.
    started.catch(() => {})
    return {
      exit: once(child, 'exit').then(([code]) => code as number | null),
      out: text(out as NodeJS.ReadableStream),
      errors: text(err as NodeJS.ReadableStream),
      signal: async (name: NodeJS.Signals) => process.kill(await started, name),
    }
  }
}
