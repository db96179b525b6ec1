import { cpus } from 'node:os'
import { sleep } from '../../bench/common/load.ts'
import type { Part } from '../environment/load-test-environment.ts'

/** Processor time of a part between two readings, and the memory that it holds at the second. */
export interface PartSample {
  name: string
  /** Busy, on average. */
  cores: number
  bytes: number
}

interface Sample {
  /** Since the start. */
  seconds: number
  parts: PartSample[]
}

export interface Watched {
  samples: Sample[]
  /** The whole time. */
  all: PartSample[]
}

const sampleMs = 5000

/** Processor time of the whole machine, other programs and the kernel's own work included. */
export function machineTotals(): Part {
  const busyMs = cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0)
  return { name: 'machine', processor_ms: busyMs, resident_bytes: 0 }
}

/** Reads totals now, every 5 s, and when it is stopped. */
export function watchParts(readTotals: () => Part[]) {
  const first = { at: performance.now(), totals: readTotals() }
  const samples: Sample[] = []
  let last = first
  let result: Watched | undefined

  function read(): void {
    const now = { at: performance.now(), totals: readTotals() }
    samples.push({ seconds: (now.at - first.at) / 1000, parts: differences(last, now) })
    last = now
  }

  async function watch(): Promise<void> {
    for (;;) {
      await sleep(sampleMs)
      if (result) return
      read()
    }
  }

  void watch()
  return {
    /** Once it is stopped it gives the same again. */
    stop(): Watched {
      if (!result) {
        read()
        result = { samples, all: differences(first, last) }
      }
      return result
    },
  }
}

interface Reading {
  at: number
  totals: readonly Part[]
}

const differences = (before: Reading, now: Reading): PartSample[] =>
  now.totals.map(({ name, processor_ms: totalMs, resident_bytes: bytes }) => {
    const beforeMs = before.totals.find((part) => part.name === name)?.processor_ms ?? 0
    return { name, cores: (totalMs - beforeMs) / (now.at - before.at), bytes }
  })
