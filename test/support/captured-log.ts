import { Writable } from 'node:stream'
import { createLog } from '../../shared/node/log.ts'

/** A real logger whose lines a test can read. */
export function createCapturedLog(service: string) {
  const lines: Record<string, unknown>[] = []
  const sink = new Writable({
    write(chunk, _encoding, done) {
      for (const line of String(chunk).trim().split('\n')) lines.push(JSON.parse(line))
      done()
    },
  })
  return { log: createLog(service, 'debug', sink), lines }
}
