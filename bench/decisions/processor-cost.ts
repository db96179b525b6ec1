import { ownProcessorMs } from '../common/processor-time.ts'
import { median } from '../common/statistics.ts'

const rounds = 7
const warmUpShare = 0.2

/** Runs `work` for each number below `times`, `concurrent` of them at once. */
async function runAll(times: number, concurrent: number, work: (number: number) => unknown): Promise<void> {
  let next = 0
  async function runLane(): Promise<void> {
    while (next < times) {
      const pending = work(next++)
      if (pending instanceof Promise) await pending
    }
  }
  await Promise.all(Array.from({ length: concurrent }, runLane))
}

export interface Candidate {
  name: string
  work: (number: number) => unknown
}

/**
 * Prints microseconds of processor time per call of each candidate: median, lowest and highest of
 * interleaved rounds.
 */
export async function printCosts(
  candidates: readonly Candidate[],
  { times, concurrent }: { times: number; concurrent: number },
): Promise<void> {
  const samples = new Map(candidates.map(({ name }) => [name, [] as number[]]))
  for (const { work } of candidates) await runAll(times * warmUpShare, concurrent, work)
  for (let round = 0; round < rounds; round++) {
    for (const { name, work } of candidates) {
      const before = ownProcessorMs()
      await runAll(times, concurrent, work)
      samples.get(name)?.push(((ownProcessorMs() - before) * 1000) / times)
    }
  }
  for (const [name, costs] of samples) {
    const [low, high] = [Math.min(...costs), Math.max(...costs)]
    process.stdout.write(
      `${name.padEnd(44)} ${median(costs).toFixed(2)} us (${low.toFixed(2)}-${high.toFixed(2)})\n`,
    )
  }
}
