import type { Revocation, RevocationFeed } from '../../shared/auth/revocation.ts'
import type { HealthCheck } from '../../shared/http/health.ts'
import type { Log } from '../../shared/lib/log.ts'
import type { EpochMs } from '../../shared/lib/time.ts'
import { withTimeout } from '../../shared/lib/with-timeout.ts'
import { createSingleFlight } from '../lib/single-flight.ts'
import type { Now, RevocationStream, WaitUntil } from '../ports.ts'
import type { Revocations } from './revocation-index.ts'

interface RevocationSyncOptions {
  revocations: Pick<Revocations, 'apply' | 'markLoaded' | 'isLoaded'>
  /**
   * Reads the origin's feed. @param after cursor of the last response; undefined for all entries
   */
  readFeed: (after: string | undefined) => Promise<RevocationFeed>
  /** The stream in Redis, if any. */
  stream?: RevocationStream | undefined
  /** Interval of the timer; null where only `sync` and `refreshIfStale` read the feed. */
  tickMs?: number | null | undefined
  /** Called with new entries: seconds from the cause of the newest to its arrival here. */
  onSynced?: ((seconds: number) => void) | undefined
  waitUntil?: WaitUntil | undefined
  now: Now
  log: Log
}

/** Interval of feed reads without the stream, and pause before the stream is tried again. */
const defaultTickMs = 1000

/**
 * With the stream, the feed is read at every fourth tick. This restores entries that Redis lost,
 * and keeps the bound of 5 s where the origin cannot write to Redis but the gateway reads it.
 */
const feedReadTicks = 4

/** Timeout of one read of the feed. */
const feedTimeoutMs = 4000

/**
 * For `refreshIfStale`: the age from which the feed is read, and the longest wait for it.
 */
const staleAfterMs = 1000
const refreshTimeoutMs = 1500

/** Readiness warns after this long without either source. */
const silentMs = 60_000

/** State for readiness and metrics. Times in milliseconds. */
export interface RevocationSyncState {
  source: 'stream' | 'feed'
  /** From the cause of the newest entry to its arrival here; undefined before the first one. */
  lagMs: number | undefined
  /** Last successful read of a source. */
  contactAt: EpochMs | undefined
}

/**
 * Keeps the revocation index up to date. The origin's feed is complete; the stream in Redis is fast
 * and may lose entries.
 *
 * At each start of the stream, its position is read first and the feed second, so that entries
 * missing in the feed follow behind the position. Without the stream the feed is read at every
 * tick.
 */
export function createRevocationSync(options: RevocationSyncOptions) {
  const { revocations, readFeed, stream, tickMs = defaultTickMs, onSynced = () => {}, now, log } = options
  const state: RevocationSyncState = { source: 'feed', lagMs: undefined, contactAt: undefined }
  const stopping = new AbortController()
  let cursor: string | undefined
  let streaming: Promise<void> | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let ticks = 0
  let refreshedAt = Number.NEGATIVE_INFINITY
  /** Whether it has been logged that no origin publishes to the stream. */
  let publisherMissing = false
  /** True until a feed read that started after the current stream position has succeeded. */
  let feedReadPending = true
  let feedFails = false
  let streamFails = false

  function apply(entries: readonly Revocation[]) {
    const added = revocations.apply(entries)
    if (!revocations.isLoaded() || added.length === 0) return
    state.lagMs = Math.max(0, now() - Math.max(...added.map(({ at }) => at)))
    onSynced(state.lagMs / 1000)
  }

  /** Never rejects. */
  async function readFeedOnce(): Promise<void> {
    feedReadPending = false
    try {
      const { entries, next } = await withTimeout(feedTimeoutMs, readFeed(cursor))
      state.contactAt = now()
      apply(entries)
      cursor = next
      revocations.markLoaded()
      if (feedFails) log.info({}, 'revocation feed read again')
      feedFails = false
      ticks = 0
    } catch (error) {
      feedReadPending = true
      if (!feedFails) log.warn({ err: error }, 'revocation feed not read')
      feedFails = true
    }
  }

  const polling = createSingleFlight(readFeedOnce, options.waitUntil)

  async function poll(): Promise<void> {
    if (stopping.signal.aborted) return
    await polling.run()
  }

  /** Without a publisher the feed is read at every tick, as without a stream. */
  function recordPublisher(hasPublisher: boolean) {
    if (hasPublisher) state.contactAt = now()
    state.source = hasPublisher ? 'stream' : 'feed'
  }

  function logPublisher(hasPublisher: boolean) {
    if (hasPublisher && publisherMissing) log.info({}, 'an origin writes to the revocation stream')
    if (!hasPublisher && !publisherMissing)
      log.warn({}, 'no origin writes to the revocation stream: using the feed')
    publisherMissing = !hasPublisher
  }

  /** Reads the stream until an error ends it. Never rejects. */
  async function readStream(source: RevocationStream): Promise<void> {
    try {
      let { position, hasPublisher } = await source.position()
      feedReadPending = true
      recordPublisher(hasPublisher)
      void sync()
      if (streamFails) log.info({}, 'revocation stream read again')
      streamFails = false
      while (!stopping.signal.aborted) {
        const read = await source.read(position)
        ;({ position, hasPublisher } = read)
        apply(read.entries)
        recordPublisher(hasPublisher)
        logPublisher(hasPublisher)
      }
    } catch (error) {
      state.source = 'feed'
      if (stopping.signal.aborted) return
      if (!streamFails) log.warn({ err: error }, 'revocation stream not read: using the feed')
      streamFails = true
    }
  }

  async function sync(): Promise<void> {
    await polling.inFlight
    await poll()
  }

  function startStream() {
    if (!stream || streaming !== undefined) return
    streaming = readStream(stream).finally(() => {
      streaming = undefined
    })
  }

  function tick() {
    startStream()
    ticks++
    if (feedReadPending || state.source === 'feed' || ticks >= feedReadTicks) void poll()
    schedule()
  }

  function schedule() {
    if (tickMs !== null && !stopping.signal.aborted) timer = setTimeout(tick, tickMs)
  }

  return {
    state: state as Readonly<RevocationSyncState>,

    /**
     * Resolves after the first read of the feed. Never rejects; a failed read shows in `health`.
     */
    async start(): Promise<void> {
      startStream()
      await poll()
      schedule()
    },

    /**
     * Resolves when revocations committed before the call are known here, if the origin is
     * reachable.
     */
    sync,

    /**
     * Reads the feed if the last read is too old, for a gateway without timer and stream. A slow
     * read is not awaited beyond its timeout.
     */
    async refreshIfStale(): Promise<void> {
      if (!polling.inFlight && now() - refreshedAt < staleAfterMs) return
      refreshedAt = now()
      await withTimeout(refreshTimeoutMs, poll()).catch(() => {})
    },

    health(): HealthCheck {
      const detail = state.source
      if (!revocations.isLoaded()) return { status: 'fail', detail }
      const silent = state.contactAt === undefined || now() - state.contactAt > silentMs
      return { status: silent || (stream && detail === 'feed') ? 'warn' : 'pass', detail }
    },

    async stop(): Promise<void> {
      stopping.abort()
      clearTimeout(timer)
      stream?.close()
      await Promise.all([polling.inFlight, streaming])
    },
  }
}
