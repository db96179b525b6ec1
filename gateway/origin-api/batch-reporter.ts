import type { Log } from '../../shared/lib/log.ts'
import type { WaitUntil } from '../ports.ts'

/**
 * Gathered at most, and told at most in one post: what an attack from many addresses may cost in
 * memory.
 */
const largestBatch = 1000

/** From the first entry of a batch to its post. */
const flushSeconds = 10

export interface Batch<Entry> {
  /** Those that could not be kept. */
  dropped: number
  entries: Entry[]
}

interface BatchReporterOptions<Entry> {
  /** What is gathered, in the plural. */
  of: string
  /** Tells the origin. Gives up by itself. */
  post: (batch: Batch<Entry>) => Promise<unknown>
  waitUntil?: WaitUntil | undefined
  log: Log
}

/**
 * Gathers what happens to requests, for the origin to keep: equal entries counted as one, told in
 * batches, so that no request waits for a write or causes one.
 *
 * A batch that could not be told is dropped and counted: it may have been kept all the same, and
 * told again it would count twice.
 */
export function createBatchReporter<Entry extends { count: number }>(options: BatchReporterOptions<Entry>) {
  const { of, post, waitUntil = () => {}, log } = options
  let pending = new Map<string, Entry>()
  /** Entries that nobody was told of. */
  let dropped = 0
  /** The same since the start, those told of as dropped among them. */
  let unreported = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let pendingFlush: Promise<void> | undefined

  /** @param id the same for entries that count as one */
  function record(id: string, entry: Entry): void {
    const known = pending.get(id)
    if (known) known.count += entry.count
    else if (pending.size < largestBatch) pending.set(id, entry)
    else {
      dropped += entry.count
      unreported += entry.count
    }
    schedule()
  }

  /** One timer or one post, never a second of either. */
  function schedule(): void {
    if (timer !== undefined || pendingFlush !== undefined) return
    const reported = new Promise<void>((resolve) => {
      timer = setTimeout(() => resolve(flush()), flushSeconds * 1000)
    })
    waitUntil(reported)
  }

  async function send(batch: Batch<Entry>): Promise<void> {
    try {
      await post(batch)
      if (batch.dropped > 0) log.warn({ dropped: batch.dropped }, `${of} dropped from the log`)
    } catch (err) {
      const lost = batch.entries.reduce((sum, { count }) => sum + count, 0)
      dropped += batch.dropped + lost
      unreported += lost
      log.warn({ err, dropped }, `${of} dropped from the log: the origin could not be told`)
    }
  }

  /** Tells what was gathered; a post under way is waited for instead. */
  async function flush(): Promise<void> {
    clearTimeout(timer)
    timer = undefined
    if (pendingFlush !== undefined) return pendingFlush
    if (pending.size === 0) return
    const batch = { dropped, entries: [...pending.values()] }
    pending = new Map()
    dropped = 0
    pendingFlush = send(batch)
    await pendingFlush
    pendingFlush = undefined
    if (pending.size > 0) schedule()
  }

  return {
    record,
    flush,
    /** Entries that nobody was told of, since the start. */
    unreported: () => unreported,
    /** Tells what is left. */
    async close(): Promise<void> {
      await pendingFlush
      await flush()
      clearTimeout(timer)
    },
  }
}
