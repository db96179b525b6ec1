import { sleep } from '../../common/load.ts'
import { figure } from '../../common/report.ts'
import { familyResidentBytes } from '../../common/resident-memory.ts'
import { startContender } from '../contenders/start-contender.ts'
import { load } from '../load/load.ts'
import { type BenchPart, unreachedAddressQuota } from './part.ts'

const sizes = { short: { minutes: 1 }, full: { minutes: 10 } }

/** Shares of the time at which the table shows memory. */
const shownAt = [0.1, 0.2, 0.4, 0.6, 0.8, 1]
const sampleMs = 5000
const connections = 64

/** Whether the memory of the gateway stays where it is under lasting load. */
export const flatnessBench: BenchPart = async ({
  benchEnvironment,
  contenders,
  tokens,
  users,
  isFull,
  report,
}) => {
  const { gatehouse } = contenders
  if (!gatehouse) return
  const { minutes } = isFull ? sizes.full : sizes.short
  const name = 'gatehouse'
  const running = await startContender(gatehouse, benchEnvironment, {
    name,
    addressQuota: unreachedAddressQuota,
  })
  const samples: number[] = []
  let over = false
  async function sample() {
    while (!over) {
      await sleep(sampleMs)
      const bytes = familyResidentBytes(running.pid)
      samples.push(bytes)
      report.raw({ part: 'flatness', contender: name, seconds: (samples.length * sampleMs) / 1000, bytes })
    }
  }
  try {
    const sampling = sample()
    const workload = { users, freshOneIn: 0 }
    const { done } = await load({ url: running.url, tokens, workload, connections, seconds: minutes * 60 })
    over = true
    await sampling
    report.heading('Memory under lasting load')
    report.text(`Gatehouse, ${minutes} min, ${done} requests of ${users} users at random; resident memory.\n`)
    report.table([
      ['', ...shownAt.map((share) => `${figure(share * minutes)} min`)],
      ['MB', ...shownAt.map((share) => figure((samples[Math.ceil(share * samples.length) - 1] ?? 0) / 1e6))],
    ])
  } finally {
    over = true
    await running.stop()
  }
}
