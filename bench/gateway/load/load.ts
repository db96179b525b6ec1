import { fileURLToPath } from 'node:url'
import { run } from '../../../tools/servers/process/run.ts'
import { findProgram } from '../../common/find-program.ts'
import { path } from '../contenders/contenders.ts'
import type { TokenFiles } from '../environment/tokens.ts'

/** How users come. */
export interface Workload {
  users: number
  /** One request in so many brings a token that was not seen before; 0 for none. */
  freshOneIn: number
}

export interface LoadResult {
  done: number
  tookUs: number
  p50Us: number
  p99Us: number
  maxUs: number
  usedFresh: number
}

interface LoadOptions {
  url: string
  tokens: TokenFiles
  workload: Workload
  connections: number
  seconds: number
  /** The first line of fresh tokens to use. */
  freshFrom?: number
  /**
   * So many requests with the known tokens one after the other, instead of at random for some time.
   */
  inTurn?: number
}

const script = fileURLToPath(new URL('load.lua', import.meta.url))

/** How long requests in turn may take together. */
const inTurnSeconds = 600

/**
 * Sends load by wrk, from one thread.
 *
 * @throws Error where an answer was not 2xx or a connection broke: what is measured must work
 */
export async function load(options: LoadOptions): Promise<LoadResult> {
  const { url, tokens, workload, connections, seconds, freshFrom = 0, inTurn = 0 } = options
  const scriptArgs = [
    path,
    tokens.known,
    workload.users,
    tokens.fresh,
    freshFrom,
    workload.freshOneIn,
    inTurn,
  ].map(String)
  const output = await run(findProgram('wrk') ?? 'wrk', [
    '--threads=1',
    `--connections=${connections}`,
    `--duration=${inTurn ? inTurnSeconds : seconds}s`,
    '--timeout=10s',
    `--script=${script}`,
    url,
    '--',
    ...scriptArgs,
  ])
  const { refused, broken, ...result } = JSON.parse(output.trim().split('\n').at(-1) ?? '')
  if (refused > 0 || broken > 0 || result.done === 0)
    throw new Error(
      `The load met ${refused} refusals and ${broken} broken requests of ${result.done}: the bench is wrong.`,
    )
  return result
}
