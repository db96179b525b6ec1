import type { Report } from '../../common/report.ts'
import type { Contender } from '../contenders/contenders.ts'
import type { BenchEnvironment } from '../environment/bench-environment.ts'
import type { TokenFiles } from '../environment/tokens.ts'

export interface BenchOptions {
  benchEnvironment: BenchEnvironment
  /** Contenders that are installed here and do equivalent work. */
  contenders: Record<string, Contender>
  tokens: TokenFiles
  /** Users of the larger workload. */
  users: number
  /** Long rounds and many of them, for figures to publish. */
  isFull: boolean
  report: Report
  /** Where a picture goes. */
  folder: string
}

/** One question about the contenders. */
export type BenchPart = (options: BenchOptions) => Promise<void>

/** So high that no request of a load meets it, and as high as Gatehouse takes it. */
export const unreachedAddressQuota = 1_000_000

/** Users who return often, so that a contender's caches hold them. */
export const hot = { users: 1000, freshOneIn: 0 }
