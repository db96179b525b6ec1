import type { Log } from './log.ts'

/**
 * Most entries of one batch. Bounds the memory that an attack from many addresses takes.
 */
const maxBatch = 1000

/** From the first entry of a batch to its request. */
const flushSeconds = 10

export interface Batch<Entry> {
  /** Entries dropped since the last batch. */
  dropped: number
  entries: Entry[]
}

interface BatchReporterOptions<Entry> {
  /** Name of the entries, in the plural, for logs. */
  of: string
  /** Where batches go, for logs. */
  to: string
  /** Sends or stores a batch; has its own timeout. */
  post: (batch: Batch<Entry>) => Promise<unknown>
  /** Keeps the runtime alive for work that outlives the response. */
  waitUntil?: ((work: Promise<unknown>) => void) | undefined
  log: Log
}

/**
 * Collects events of requests. Equal entries are counted as one and sent in batches,
 * so that no request waits for a write or causes one.
 *
 * A batch that fails is dropped and counted. It may have been stored, so a second attempt could
 * count it twice.
 */
export function createBatchReporter<Entry extends { count: number }>(options: BatchReporterOptions<Entry>) {
  const { of, to, post, waitUntil = () => {}, log } = options
  let pending = new Map<string, Entry>()
  /** Unreported entries since the last batch. */
  let dropped = 0
  /** Unreported entries since the start. */
  let unreported = 0
  let timer: ReturnType<typeof setTimeout> | undefined
  let pendingFlush: Promise<void> | undefined

  /** @param id equal for entries that are counted as one */
  function record(id: string, entry: Entry): void {
    const known = pending.get(id)
    if (known) known.count += entry.count
    else if (pending.size < maxBatch) pending.set(id, entry)
    else {
      dropped += entry.count
      unreported += entry.count
    }
    schedule()
  }

  /** At most one timer or one request at a time. */
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
      if (batch.dropped > 0) log.warn({ dropped: batch.dropped }, `${of} dropped`)
    } catch (err) {
      const lost = batch.entries.reduce((sum, { count }) => sum + count, 0)
      dropped += batch.dropped + lost
      unreported += lost
      log.warn({ err, dropped }, `${of} dropped: the report to ${to} failed`)
    }
  }

  /** Sends the pending entries; a pending flush is awaited instead. */
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
    /** Unreported entries since the start. */
    unreported: () => unreported,
    /** Sends the remaining entries. */
    async close(): Promise<void> {
      await pendingFlush
      await flush()
      clearTimeout(timer)
    },
  }
}
