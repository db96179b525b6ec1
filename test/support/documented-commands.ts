import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { text } from 'node:stream/consumers'
import { expect } from 'vitest'

const root = resolve(import.meta.dirname, '../..')
const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
}

/**
 * The commands of a page of the docs, as a reader runs them in the repository's folder; here they
 * run in a folder of the test. One that the page does not have fails the test.
 */
export function documentedCommands(page: string, folder: string) {
  const documentation = readFileSync(join(root, page), 'utf8')

  /** The shell command, with files of the repository by their whole path. */
  function localize(command: string): string {
    expect(documentation).toContain(command)
    return command
      .replace(/npm (?:run (?:--silent )?)?(\w+)(?: --)?/, (_, name: string) => scripts[name] ?? name)
      .replace(/dev\/start\.ts$/, '$& --folder .gatehouse')
      .replaceAll(/(?<=\s)(?:examples|origin|dev)\/[\w./-]+/g, (path) => join(root, path))
  }

  return {
    /** Runs it to its end. @returns its output */
    async run(command: string, env: NodeJS.ProcessEnv = {}): Promise<string> {
      const child = start(localize(command), folder, env)
      const [output, complaint] = await Promise.all([text(child.stdout), text(child.stderr)])
      const code = child.exitCode ?? (await new Promise((done) => child.once('exit', done)))
      expect({ command, code, complaint }).toMatchObject({ code: 0 })
      return output
    },

    /** Starts a service. @returns a function that stops it */
    start(command: string, env: NodeJS.ProcessEnv = {}): () => Promise<void> {
      const child = start(`exec ${localize(command).replace(/^exec /, '')}`, folder, env)
      child.stdout.resume()
      child.stderr.pipe(process.stderr)
      const ended = new Promise<void>((done) => child.once('exit', () => done()))
      return async () => {
        child.kill('SIGTERM')
        await ended
      }
    },
  }
}

const start = (command: string, cwd: string, env: NodeJS.ProcessEnv) =>
  spawn('bash', ['-euo', 'pipefail', '-c', command], {
    cwd,
    env: { PATH: `${dirname(process.execPath)}:${process.env.PATH}`, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
