import type { Revocation, RevocationFeed } from '../../shared/auth/revocation.ts'
import type { HealthCheck } from '../../shared/http/health.ts'
import type { Log } from '../../shared/lib/log.ts'
import { withTimeout } from '../../shared/lib/with-timeout.ts'
import { createSingleFlight } from '../lib/single-flight.ts'
import type { Now, RevocationStream, WaitUntil } from '../ports.ts'
import type { Revocations } from './revocation-index.ts'

interface RevocationSyncOptions {
  revocations: Pick<Revocations, 'apply' | 'markLoaded' | 'isLoaded'>
  /** Asks the origin. @param after where the last response said to go on, undefined for all */
  readFeed: (after: string | undefined) => Promise<RevocationFeed>
  /** The news in Redis, where there is one. */
  stream?: RevocationStream | undefined
  /** Time between two looks at what is due; null where only `hear` has the feed read. */
  tickMs?: number | null | undefined
  /** Told of news: the seconds from the cause of the newest to its being known here. */
  onSynced?: ((seconds: number) => void) | undefined
  waitUntil?: WaitUntil | undefined
  now: Now
  log: Log
}

/** Reads of the feed without the stream, and the pause before the stream is tried again. */
const defaultTickMs = 1000

/**
 * Beside the stream the feed is read at every fourth tick. That heals whatever Redis lost, and
 * holds the bound of 5 s where the origin cannot write what we can read.
 */
const healTicks = 4

/** A feed that takes longer is read again rather than waited for. */
const feedTimeoutMs = 4000

/**
 * Where nothing follows: how old what is known may be for `recall`, and how long it waits for news.
 */
const staleAfterMs = 1000
const refreshTimeoutMs = 1500

/** Silence of both sources from which readiness warns. */
const silentMs = 60_000

/** What the follower knows of itself, for readiness and metrics. Times in milliseconds. */
export interface RevocationSyncState {
  source: 'stream' | 'feed'
  /** From the cause of the newest entry to its being known here; undefined before the first one. */
  lagMs: number | undefined
  /** Since 1970: when a source answered last. */
  contactAt: number | undefined
}

/**
 * Keeps the revocations up to date. The feed of the origin is the truth, the stream in Redis the
 * news.
 *
 * Each time the stream is taken up, its position is taken first and the feed is read after that:
 * what the feed did not have yet comes behind the position. While there is no stream the feed is
 * read at every tick.
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
  /** A position was taken, and no read of the feed that began after it has ended well. */
  let feedReadPending = true
  let feedFails = false
  let streamFails = false

  function apply(entries: readonly Revocation[]) {
    state.contactAt = now()
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

  /** Reads the stream to its end, which is an error. Never rejects. */
  async function readStream(source: RevocationStream): Promise<void> {
    try {
      let position = await source.position()
      feedReadPending = true
      state.source = 'stream'
      void sync()
      if (streamFails) log.info({}, 'revocation stream followed again')
      streamFails = false
      while (!stopping.signal.aborted) {
        const read = await source.read(position)
        apply(read.entries)
        position = read.position
      }
    } catch (error) {
      state.source = 'feed'
      if (stopping.signal.aborted) return
      if (!streamFails) log.warn({ err: error }, 'revocation stream not followed: the feed is read instead')
      streamFails = true
    }
  }

  async function sync(): Promise<void> {
    await polling.underway
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
    if (feedReadPending || state.source === 'feed' || ticks >= healTicks) void poll()
    schedule()
  }

  function schedule() {
    if (tickMs !== null && !stopping.signal.aborted) timer = setTimeout(tick, tickMs)
  }

  return {
    state: state as Readonly<RevocationSyncState>,

    /**
     * Resolves when the feed has been tried once. Never rejects: what could not be read shows in
     * `health`.
     */
    async start(): Promise<void> {
      startStream()
      await poll()
      schedule()
    },

    /**
     * Resolves when what was committed before the call is known here, where the origin can be
     * asked.
     */
    sync,

    /**
     * Reads the feed where it was not read lately, for a gateway that follows nothing. What does
     * not come in time is not waited for.
     */
    async refreshIfStale(): Promise<void> {
      if (!polling.underway && now() - refreshedAt < staleAfterMs) return
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
      await Promise.all([polling.underway, streaming])
    },
  }
}
