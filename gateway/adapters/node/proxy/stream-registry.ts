import type { VerifiedToken } from '../../../tokens/verified-token.ts'

type StreamCaller = Pick<VerifiedToken, 'identity' | 'expiresAt'>

interface StreamRegistryOptions {
  isStillValid: (caller: StreamCaller) => boolean
  /** Milliseconds between two checks of the tokens. */
  checkMs?: number | undefined
  /**
   * Streams of one user; one more ends the oldest, so that no user holds all slots of an upstream.
   */
  maxPerUser?: number
}

/**
 * Registry of WebSockets and streams of events, whose duration is up to the client. Each ends when
 * its token becomes invalid, by time, revocation or epoch, and all end when this instance stops.
 */
export function createStreamRegistry({
  isStillValid,
  checkMs = 1000,
  maxPerUser = 50,
}: StreamRegistryOptions) {
  /** The caller of each stream, null on a public row, by the function that ends the stream. */
  const open = new Map<() => void, StreamCaller | null>()
  let timer: ReturnType<typeof setInterval> | undefined

  function endInvalid(): void {
    for (const [end, caller] of open) if (caller && !isStillValid(caller)) end()
  }

  function endOldestBeyondMax({ identity }: StreamCaller): void {
    const ends = [...open].filter(([, caller]) => caller?.identity.sub === identity.sub).map(([end]) => end)
    if (ends.length > maxPerUser) ends[0]?.()
  }

  return {
    /** @returns a function to call once the stream has ended */
    add(caller: StreamCaller | null, end: () => void): () => void {
      open.set(end, caller)
      if (caller) endOldestBeyondMax(caller)
      timer ??= setInterval(endInvalid, checkMs).unref()
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

export type StreamRegistry = ReturnType<typeof createStreamRegistry>
