import { readFileSync } from 'node:fs'
import { type Figures, runConstantRate } from './constant-rate.ts'
import { createRequests, drawRead, parseUsers } from './requests.ts'

/**
 * The generator of load, as a process: its processor time is told apart from the runner's. Over IPC
 * it gets users, then runs, and reports each second.
 */

export interface GeneratorUsers {
  kind: 'users'
  /** A line for each user. */
  file: string
  /** Lines before these are other clients'. */
  first: number
  count: number
  password: string
  /** Sends reads alone, instead of the whole mix. */
  readsOnly: boolean
}

export interface GeneratorRun {
  kind: 'run'
  url: string
  /** Requests a second. */
  rate: number
  rampSeconds: number
  seconds: number
}

export type GeneratorReport =
  | { kind: 'users' }
  | { kind: 'measuring' }
  | ({ kind: 'second' } & Figures)
  | ({ kind: 'over' } & Figures)

const report = (message: GeneratorReport) => process.send?.(message)

let users: ReturnType<typeof parseUsers> = []
/** Kept from run to run, as are the refresh tokens that were used. */
let nextRequest: ReturnType<typeof createRequests>

async function run({ url, ...scale }: GeneratorRun): Promise<void> {
  const figures = await runConstantRate({
    ...scale,
    url,
    users: users.length,
    nextRequest,
    onMeasuring: () => report({ kind: 'measuring' }),
    onSecond: (second) => report({ kind: 'second', ...second }),
  })
  report({ kind: 'over', ...figures })
}

process.on('message', (message: GeneratorUsers | GeneratorRun) => {
  if (message.kind === 'run') return void run(message)
  const { file, first, count, password, readsOnly } = message
  const lines = readFileSync(file, 'latin1').split('\n', first + count)
  users = parseUsers(lines.slice(first), first)
  nextRequest = createRequests({ users, password, ...(readsOnly && { draw: drawRead }) })
  report({ kind: 'users' })
})
process.on('disconnect', () => process.exit())
