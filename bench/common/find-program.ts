import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'
import { run } from '../../tools/servers/process/run.ts'

/** Where a program stands: on PATH, or where Debian keeps those of a system's administrator. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The first line of what a program says of itself; some say it on their standard error. */
export async function versionOf(name: string): Promise<string> {
  const said = await run('/bin/sh', ['-c', '"$1" -v 2>&1', 'sh', findProgram(name) ?? name])
  return said.split('\n', 1)[0]?.replace(/ - https.*/, '') ?? ''
}
