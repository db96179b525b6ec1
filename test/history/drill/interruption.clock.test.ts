import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../../../tools/servers/process/run.ts'

const historyFile = join(tmpdir(), `gatehouse-drill-interrupted-${process.pid}.jsonl`)

async function descendantsOf(pid: number): Promise<number[]> {
  const lines = await run('pgrep', ['-P', `${pid}`]).catch(() => '')
  const children = lines.split('\n').filter(Boolean).map(Number)
  return [...children, ...(await Promise.all(children.map(descendantsOf))).flat()]
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

test('130: Ctrl-C ends the drill with a verdict on what was recorded, and all of its processes', async () => {
  const args = ['--minutes', '2', '--seed', '1', '--clients', '3', '--history', historyFile]
  const drill = spawn(process.execPath, ['test/history/drill/command.ts', ...args], { detached: true })
  const pid = drill.pid as number
  let printed = ''
  for (const output of [drill.stdout, drill.stderr])
    output.on('data', (text) => {
      printed += text
    })
  const exit = once(drill, 'exit')
  try {
    await expect.poll(() => printed, { timeout: 60_000 }).toContain('started; seed 1')
    await expect.poll(() => readFileSync(historyFile, 'utf8'), { timeout: 20_000 }).toContain('"completed"')
    const servers = await descendantsOf(pid)
    expect(servers.length).toBeGreaterThan(10)
    // The terminal tells the whole foreground, and npm tells its child again.
    process.kill(-pid, 'SIGINT')
    process.kill(pid, 'SIGINT')
    expect((await exit)[0], printed).toBe(130)
    expect(printed).toContain('interrupted: liveness was not checked')
    expect(printed).toMatch(/seed 1: [1-9]\d* operations .*, 0 violations$/m)
    await expect.poll(() => servers.filter(isRunning), { timeout: 10_000 }).toEqual([])
  } finally {
    drill.kill('SIGKILL')
    await rm(historyFile, { force: true })
  }
}, 120_000)
