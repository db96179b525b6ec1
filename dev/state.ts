import { randomBytes } from 'node:crypto'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateSecrets, type Secrets } from './secrets.ts'

/** What one machine's `npm start` keeps from one start to the next, in a folder that git ignores. */
interface State {
  secrets: Secrets
  /** Demo passwords are drawn once per machine: no password of ours is known to the world. */
  demoPassword: string
}

/** @param folder made where it is missing, readable by its owner alone */
export async function readState(folder: string): Promise<State> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, 'state.json')
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const state: State = {
    secrets: await generateSecrets(),
    demoPassword: `demo-${randomBytes(9).toString('base64url')}`,
  }
  await writeFile(file, JSON.stringify(state, null, 2), { mode: 0o600, flag: 'wx' })
  return state
}
