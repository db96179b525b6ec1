import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lockFolder } from './lock-folder.ts'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'gatehouse-lock-'))
})

afterEach(() => rm(folder, { recursive: true }))

/** Another process that locks the folder, says how that went, and then waits for its end. */
function spawnLocker() {
  const code = `
    import { lockFolder } from '${new URL('./lock-folder.ts', import.meta.url)}'
    try {
      lockFolder('${folder}')
      process.stdout.write('locked')
      process.stdin.resume()
    } catch (error) {
      process.stdout.write(error.message)
    }`
  return spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['pipe', 'pipe', 'inherit'] })
}

test('a locked folder is rejected, with the id of the process that has it', () => {
  const { release } = lockFolder(folder)
  expect(() => lockFolder(folder)).toThrow(`in use by process ${process.pid}.`)
  release()
})

test('a released folder can be locked again', () => {
  lockFolder(folder).release()
  const { release } = lockFolder(folder)
  expect(() => lockFolder(folder)).toThrow('in use by process')
  release()
})

test('a folder whose holder was killed can be locked', async () => {
  const holder = spawnLocker()
  await once(holder.stdout, 'data')
  expect(() => lockFolder(folder)).toThrow(`in use by process ${holder.pid}.`)
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  lockFolder(folder).release()
})

test('of many processes that lock a folder at once, one gets it', async () => {
  const killed = spawnLocker()
  await once(killed.stdout, 'data')
  killed.kill('SIGKILL')
  await once(killed, 'exit')

  const lockers = Array.from({ length: 8 }, spawnLocker)
  await Promise.all(lockers.map(({ stdout }) => once(stdout, 'readable')))
  const answers = lockers.map(({ stdout }) => text(stdout))
  for (const { stdin } of lockers) stdin.end()
  expect((await Promise.all(answers)).filter((answer) => answer === 'locked')).toHaveLength(1)
})
