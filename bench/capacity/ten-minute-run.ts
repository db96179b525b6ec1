import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { UnitCosts } from './unit-costs.ts'

/** The ten minutes of `bench/results/gateway.md`: one gateway, as many requests as it answers. */
export interface TenMinuteRun {
  requestsPerSecond: number
  users: number
  /** Resident memory of the gateway, at six times of the run. */
  bytes: number[]
}

const page = join(import.meta.dirname, '../results/gateway.md')

/** @throws Error where the page has no such run */
export function readTenMinuteRun(): TenMinuteRun {
  const text = readFileSync(page, 'utf8')
  const [, minutes, requests, users] = /(\d+) min, (\d+) requests of (\d+) users at random/.exec(text) ?? []
  const [, cells] = /^\| MB \| (.+) \|$/m.exec(text) ?? []
  if (!minutes || !requests || !users || !cells) throw new Error(`${page} has no memory under lasting load`)
  return {
    requestsPerSecond: Number(requests) / (Number(minutes) * 60),
    users: Number(users),
    bytes: cells.split(' | ').map((cell) => Number(cell) * 1e6),
  }
}

export interface Comparison {
  /**
   * Of a gateway that one core feeds: where each tenth token is new, and where all are known, a
   * run in which each user comes back is between the two.
   */
  requestsPerSecond: { least: number; most: number; measured: number }
  bytes: { modelled: number; measured: { least: number; most: number } }
}

export function compareWithRun(run: TenMinuteRun, { gateway }: UnitCosts): Comparison {
  return {
    requestsPerSecond: {
      least: 1e6 / gateway.requestUs,
      most: 1e6 / gateway.hotRequestUs,
      measured: run.requestsPerSecond,
    },
    bytes: {
      modelled: gateway.restBytes + run.users * gateway.userBytes,
      measured: { least: Math.min(...run.bytes), most: Math.max(...run.bytes) },
    },
  }
}
