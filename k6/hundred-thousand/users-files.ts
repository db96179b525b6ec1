import { readFile, writeFile } from 'node:fs/promises'
import { CommandError } from '../../shared/node/cli.ts'

/** Of the users, these are the judge's. */
const judgedShare = 0.1

interface UsersFiles {
  /** Lines of the judge's users. */
  judgeFile: string
  /** Lines before this one are the judge's. */
  first: number
  /** Users of the generator. */
  count: number
}

/**
 * Splits the environment's users, so that no user has two frontends: each would spend the other's
 * refresh tokens.
 *
 * @throws CommandError where there are too few of them
 */
export async function splitUsers(file: string, users: number): Promise<UsersFiles> {
  const lines = (await readFile(file, 'latin1')).trim().split('\n')
  // Of its last line k6 takes no user for its traffic.
  if (lines.length < users + 1)
    throw new CommandError(`${lines.length} accounts are active, of ${users} that were asked for.`)
  const judged = Math.ceil(users * judgedShare)
  const judgeFile = `${file}-judge`
  await writeFile(judgeFile, lines.slice(0, judged + 1).join('\n'), { mode: 0o600 })
  return { judgeFile, first: judged + 1, count: users - judged }
}

/**
 * The generator refreshes no token for itself.
 *
 * @throws CommandError where the first of the tokens ends before the run does
 */
export async function requireLastingTokens(file: string, runSeconds: number): Promise<void> {
  const [line = ''] = (await readFile(file, 'latin1')).split('\n', 1)
  const secondsLeft = Number(line.split(' ')[3]) - Date.now() / 1000
  if (secondsLeft > runSeconds) return
  throw new CommandError(
    `The users' tokens end in ${Math.floor(secondsLeft)} s, and the run takes ${runSeconds} s: ` +
      'set ACCESS_TOKEN_SECONDS to more with --set, to 3600 at most.',
  )
}
