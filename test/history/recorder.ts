import { closeSync, openSync, writeSync } from 'node:fs'
import { type HistoryEvent, toHistory } from './history.ts'

export type Recorder = ReturnType<typeof createRecorder>

/** Keeps the events of a drill, and writes each at once as a line of JSON to the file. */
export function createRecorder(path: string) {
  const events: HistoryEvent[] = []
  const file = openSync(path, 'w')
  let ids = 0
  return {
    path,
    nextId: () => ++ids,
    record(event: HistoryEvent): void {
      events.push(event)
      writeSync(file, `${JSON.stringify(event)}\n`)
    },
    history: () => toHistory(events),
    close: () => closeSync(file),
  }
}
