import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

const sqliteBusy = 5

/** Keeps the locks from the garbage collector, which would close them. */
const held = new Set<DatabaseSync>()

/**
 * Takes the folder for this process, or throws with the id of the process that has it.
 *
 * The lock is SQLite's exclusive one, which the operating system drops when its holder ends,
 * however it ends. So there is no stale lock to take over, no race about who does, and no trouble
 * when a container gives every process the same id. The file `lock` stays behind, empty; `pid` only
 * serves the message.
 */
export function lockFolder(folder: string): { release(): void } {
  mkdirSync(folder, { recursive: true })
  const pidFile = join(folder, 'pid')
  const lock = new DatabaseSync(join(folder, 'lock'))
  try {
    lock.exec('PRAGMA journal_mode = OFF; BEGIN EXCLUSIVE')
  } catch (error) {
    lock.close()
    if (!isBusy(error)) throw error
    throw new Error(
      `${folder} is in use by process ${readHolder(pidFile)}. Stop that one, or choose another folder.`,
    )
  }
  held.add(lock)
  writeFileSync(pidFile, `${process.pid}\n`)

  return {
    release: () => {
      held.delete(lock)
      lock.close()
    },
  }
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy
}

/**
 * The holder writes its id just after it has the lock: in between, the file is missing or names the
 * one before.
 */
function readHolder(pidFile: string): string {
  try {
    return readFileSync(pidFile, 'utf8').trim()
  } catch {
    return '(unknown)'
  }
}
