import { familyProcessorMs, processorMs } from '../../common/processor-time.ts'
import { redisReads } from '../../common/redis-reads.ts'
import type { Running } from '../contenders/start-contender.ts'
import type { BenchEnvironment } from '../environment/bench-environment.ts'
import type { TokenFiles } from '../environment/tokens.ts'
import { type LoadResult, load, type Workload } from './load.ts'

/**
 * One load on one contender. Processor time is in microseconds a request, of all processes and
 * threads.
 */
export interface Round extends LoadResult {
  /**
   * Requests that reached the upstream: those cut off at the end of the load had their work done,
   * too.
   */
  answered: number
  us: number
  redisUs: number
  /** Share of one core that the origin and its PostgreSQL used meanwhile. */
  originShare: number
  /** Of Redis, a request. */
  roundTrips: number
  perSecond: number
}

interface MeasureOptions {
  benchEnvironment: BenchEnvironment
  running: Running
  tokens: TokenFiles
  workload: Workload
  connections: number
  seconds: number
  freshFrom?: number
}

export async function measure({ benchEnvironment, running, ...options }: MeasureOptions): Promise<Round> {
  async function read() {
    return {
      contender: familyProcessorMs(running.pid),
      redis: processorMs(benchEnvironment.redis.pid),
      origin: processorMs(benchEnvironment.origin.pid) + familyProcessorMs(benchEnvironment.postgres.pid),
      reads: await redisReads(benchEnvironment.redis.url),
      answered: (await benchEnvironment.upstream.seen()).answered,
    }
  }
  const before = await read()
  const result = await load({ ...options, url: running.url })
  const after = await read()
  const answered = after.answered - before.answered
  const perRequest = (what: 'contender' | 'redis' | 'reads') => (after[what] - before[what]) / answered
  return {
    ...result,
    answered,
    us: perRequest('contender') * 1000,
    redisUs: perRequest('redis') * 1000,
    originShare: ((after.origin - before.origin) * 1000) / result.tookUs,
    roundTrips: perRequest('reads'),
    perSecond: (result.done * 1e6) / result.tookUs,
  }
}
