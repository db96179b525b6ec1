import { randomInt } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runCommand } from '../../../shared/node/cli.ts'
import { parseDrillCommand, usage } from './command-line.ts'
import { abortOnSignal } from './interruption.ts'
import { reportOf } from './report.ts'
import { runDrill } from './run-drill.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)

await runCommand(
  async () => {
    const command = parseDrillCommand(process.argv.slice(2), () => randomInt(2 ** 32 - 1))
    const { seed, minutes, clients } = command
    const historyFile = command.historyFile ?? join(tmpdir(), `gatehouse-drill-${seed}.jsonl`)
    say(`seed ${seed}, ${minutes} minutes, history in ${historyFile}`)
    const signal = abortOnSignal()
    const result = await runDrill({ seed, seconds: minutes * 60, clients, historyFile, signal, say })
    if (signal.aborted) say('interrupted: liveness was not checked, nor revocation at the end')
    say(reportOf(result, seed))
    process.exitCode = result.violations.length > 0 ? 1 : signal.aborted ? signal.reason : 0
  },
  { usage },
)
