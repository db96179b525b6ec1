import { readFileSync } from 'node:fs'
import { sleep } from '../../common/load.ts'
import { figure } from '../../common/report.ts'
import { familyResidentBytes } from '../../common/resident-memory.ts'
import { path } from '../contenders/contenders.ts'
import { startContender } from '../contenders/start-contender.ts'
import { withIdleConnections } from '../load/idle-connections.ts'
import { load } from '../load/load.ts'
import { type BenchPart, hot, unreachedAddressQuota } from './part.ts'

const connections = 64
const warmUpRequests = 10_000

/** For collectors of garbage to give back what they will. */
const settleMs = 5000

const idleCounts = { short: 2000, full: 10_000 }

const inMegabytes = (bytes: number) => figure(bytes / 1e6)

/**
 * Memory of each contender: at rest after some load, with all users' tokens seen, and with idle
 * connections.
 */
export const memoryBench: BenchPart = async ({
  benchEnvironment,
  contenders,
  tokens,
  users,
  isFull,
  report,
}) => {
  const idleCount = isFull ? idleCounts.full : idleCounts.short
  const lines = readFileSync(tokens.known, 'utf8').split('\n', hot.users)
  const requestOf = (number: number) =>
    `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Forwarded-For: 10.0.0.1\r\nAuthorization: Bearer ${lines[number % lines.length]}\r\n\r\n`
  const table: (string | number)[][] = []

  for (const [name, contender] of Object.entries(contenders)) {
    const running = await startContender(contender, benchEnvironment, {
      name,
      addressQuota: unreachedAddressQuota,
    })
    async function settled() {
      await sleep(settleMs)
      return familyResidentBytes(running.pid)
    }
    try {
      const { url } = running
      const common = { url, tokens, connections }
      await load({ ...common, workload: hot, seconds: 0, inTurn: warmUpRequests })
      const rested = await settled()
      const idle = await withIdleConnections({ url, count: idleCount, requestOf }, settled)
      const before = await settled()
      await load({ ...common, workload: { users, freshOneIn: 0 }, seconds: 0, inTurn: users })
      const after = await settled()
      const row = { rested, idleBytes: (idle - rested) / idleCount, before, after }
      report.raw({ part: 'memory', contender: name, idleCount, users, ...row })
      table.push([
        contender.title,
        inMegabytes(rested),
        Math.round(row.idleBytes),
        inMegabytes(after),
        Math.round((after - before) / users),
      ])
    } finally {
      await running.stop()
    }
  }

  report.heading('Memory')
  report.text(
    `Resident memory: after ${warmUpRequests} requests; what ${idleCount} idle connections add, each; and after each of ${users} users has been seen ` +
      'once, with what each of them adds (counters of limits included where they are kept locally).\n',
  )
  report.table([
    ['', 'at rest, MB', 'an idle connection, bytes', `${users} users seen, MB`, 'a user, bytes'],
    ...table,
  ])
}
