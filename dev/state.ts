import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { generateSecrets, type Secrets } from './secrets.ts'

/** State that `npm start` keeps on one machine between starts, in a folder that git ignores. */
interface State {
  secrets: Secrets
  /** Demo passwords are drawn once per machine: no password of ours is known to the full stack. */
  demoPassword: string
}

/**
 * Reads the state, drawing what an earlier version had no need of.
 *
 * @param folder made where it is missing, readable by its owner alone
 */
export async function readState(folder: string): Promise<State> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const file = join(folder, 'state.json')
  const kept: Partial<State> = existsSync(file) ? JSON.parse(await readFile(file, 'utf8')) : {}
  const state: State = {
    demoPassword: `demo-${randomBytes(9).toString('base64url')}`,
    ...kept,
    secrets: { ...(await generateSecrets()), ...kept.secrets },
  }
  // Renamed into place: half a file would lose the keys to the data beside it.
  await writeFile(`${file}.new`, JSON.stringify(state, null, 2), { mode: 0o600 })
  await rename(`${file}.new`, file)
  return state
}

/**
 * Writes what the commands (keys, clients) need to work on this start's database, readable by its
 * owner alone. Their npm scripts read it where it is.
 */
export async function writeCommandEnvironment(
  folder: string,
  environment: NodeJS.ProcessEnv,
  names: readonly string[],
): Promise<void> {
  await writeFile(join(folder, 'env'), names.map((name) => `${name}='${environment[name]}'\n`).join(''), {
    mode: 0o600,
  })
}
