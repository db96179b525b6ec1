import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { CommandError } from '../../shared/node/cli.ts'
import { requireLastingTokens, splitUsers } from './users-files.ts'

let folder: string
let file: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-users-'))
  file = join(folder, 'users')
})
afterEach(() => rm(folder, { recursive: true }))

async function write(count: number, secondsLeft = 900) {
  const expiresAt = Math.floor(Date.now() / 1000) + secondsLeft
  const lines = Array.from({ length: count }, (_, number) => `id-${number} e pro ${expiresAt} r a\n`)
  await writeFile(file, lines.join(''))
}

describe('users of the generator and of the judge', () => {
  test('no user is in both files, and together they have the requested number', async () => {
    await write(105)
    const { judgeFile, first, count } = await splitUsers(file, 100)
    const judged = (await readFile(judgeFile, 'latin1')).trim().split('\n')
    // k6 takes no user for its traffic of the last line.
    expect(judged.length - 1 + count).toBe(100)
    expect(first).toBe(judged.length)
    expect(first + count).toBeLessThanOrEqual(105)
  })

  test('too few are an error with the number', async () => {
    await write(100)
    await expect(splitUsers(file, 100)).rejects.toThrow(
      new CommandError('100 accounts are active, of 100 that were asked for.'),
    )
  })

  test('tokens that end before the run are an error that names the remedy', async () => {
    await write(3, 600)
    await requireLastingTokens(file, 590)
    await expect(requireLastingTokens(file, 610)).rejects.toThrow(
      'set ACCESS_TOKEN_SECONDS to more with --set',
    )
  })
})
