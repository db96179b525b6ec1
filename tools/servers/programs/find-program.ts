import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { run } from '../process/run.ts'
import { unpackAptPackage } from './apt-package.ts'

export interface Program {
  command: string
  env: NodeJS.ProcessEnv
}

interface Wanted {
  /** Names of the program, on the PATH. */
  names: readonly string[]
  /** The package that has the first of these names, for apt-get and for Homebrew. */
  apt: string
  homebrew: string
}

/**
 * A program of this machine, else the one that the system's package manager fetches.
 *
 * @throws Error where there is none to be had
 */
export async function findProgram(wanted: Wanted): Promise<Program> {
  const found = findOnPath(wanted.names)
  if (found) return found
  const [name] = wanted.names
  if (name === undefined) throw new Error('a program has a name')
  if (process.platform === 'darwin') return installWithHomebrew(name, wanted.homebrew)
  if (process.platform === 'linux') {
    const { root, env } = await unpackAptPackage(wanted.apt)
    const command = ['usr/bin', 'usr/sbin'].map((folder) => join(root, folder, name)).find(existsSync)
    if (command === undefined) throw new Error(`the package ${wanted.apt} has no program ${name}`)
    return { command, env }
  }
  throw new Error(`no way is known to fetch ${name} on ${process.platform}`)
}

export function findOnPath(names: readonly string[]): Program | undefined {
  const command = (process.env.PATH ?? '')
    .split(delimiter)
    .flatMap((folder) => names.map((name) => join(folder, name)))
    .find((path) => existsSync(path))
  return command === undefined ? undefined : { command, env: process.env }
}

/** Homebrew installs the program and starts no service. */
async function installWithHomebrew(name: string, formula: string): Promise<Program> {
  process.stdout.write(`No ${name} found: Homebrew installs ${formula} for the tests.\n`)
  await run('brew', ['install', formula])
  return {
    command: join((await run('brew', ['--prefix', formula])).trim(), 'bin', name),
    env: process.env,
  }
}
