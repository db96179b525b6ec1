import type { VerifiedToken } from '../../../tokens/verified-token.ts'

interface OpenStreamsOptions {
  stillHolds: (caller: VerifiedToken) => boolean
  /** How often tokens are looked at. */
  checkMs?: number | undefined
  /**
   * Streams of one user; one more ends the oldest, so that nobody takes all places of an upstream.
   */
  mostOfUser?: number
}

/**
 * What goes on for as long as its client likes, WebSockets and streams of events: each ends when
 * its token does, by time, revocation or epoch, and all of them when this instance stops.
 */
export function createOpenStreams({ stillHolds, checkMs = 1000, mostOfUser = 50 }: OpenStreamsOptions) {
  /** The caller of each, null where nobody had to sign in, by what ends it. */
  const open = new Map<() => void, VerifiedToken | null>()
  let timer: ReturnType<typeof setInterval> | undefined

  function look(): void {
    for (const [end, caller] of open) if (caller && !stillHolds(caller)) end()
  }

  function endOldestBeyondMost({ identity }: VerifiedToken): void {
    const ends = [...open].filter(([, caller]) => caller?.identity.sub === identity.sub).map(([end]) => end)
    if (ends.length > mostOfUser) ends[0]?.()
  }

  return {
    /** @returns what is to be called once the stream has ended */
    add(caller: VerifiedToken | null, end: () => void): () => void {
      open.set(end, caller)
      if (caller) endOldestBeyondMost(caller)
      timer ??= setInterval(look, checkMs).unref()
      return function ended() {
        open.delete(end)
        if (open.size > 0) return
        clearInterval(timer)
        timer = undefined
      }
    },

    endAll(): void {
      for (const end of open.keys()) end()
    },
  }
}

export type OpenStreams = ReturnType<typeof createOpenStreams>
