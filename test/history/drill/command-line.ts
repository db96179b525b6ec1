import { parseArgs } from 'node:util'
import { UsageError } from '../../../shared/node/cli.ts'

export const usage = `npm run drill -- [--minutes N] [--seed S] [--clients N] [--history FILE]

Runs 3 gateways, 2 origins, PostgreSQL with a synchronous standby and a Redis Cluster on this machine, breaks
them at random, and checks what clients observed. Exits 1 where an invariant was violated. Ctrl-C ends the
drill with the verdict on what was recorded so far, and exits 130 where that has no violation.

--minutes   how long faults are made; 2 by default
--seed      of all random choices; a new one by default, which is printed
--clients   clients at the same time; 10 by default
--history   the file that receives the history, in JSON lines
`

export interface DrillCommand {
  minutes: number
  seed: number
  clients: number
  historyFile: string | undefined
}

const options = {
  minutes: { type: 'string', default: '2' },
  seed: { type: 'string' },
  clients: { type: 'string', default: '10' },
  history: { type: 'string' },
  help: { type: 'boolean', default: false },
} as const

/** @throws UsageError */
export function parseDrillCommand(args: string[], newSeed: () => number): DrillCommand {
  const { minutes, seed, clients, history, help } = parse(args)
  if (help) throw new UsageError('A drill:')
  return {
    minutes: readNumber('minutes', minutes, 0.1, 600),
    seed: seed === undefined ? newSeed() : readNumber('seed', seed, 0, 2 ** 32 - 1),
    clients: readNumber('clients', clients, 1, 200),
    historyFile: history,
  }
}

function parse(args: string[]) {
  try {
    return parseArgs({ args, options }).values
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}

function readNumber(name: string, text: string, low: number, high: number): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= low && value <= high))
    throw new UsageError(`--${name} takes a number from ${low} to ${high}`)
  return value
}
