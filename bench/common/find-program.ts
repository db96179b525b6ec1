import { accessSync, constants } from 'node:fs'
import { delimiter, join } from 'node:path'

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
