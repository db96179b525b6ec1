import type { StreamEnd } from '../../../http/stream-end.ts'
import type { VerifiedToken } from '../../../tokens/verified-token.ts'

type StreamCaller = Pick<VerifiedToken, 'identity' | 'expiresAt'>

/** Ends a stream, and tells its client why. A second call ends it at once. */
export type EndStream = (reason: StreamEnd) => void

interface OpenStream {
  /** null on a public row. */
  caller: StreamCaller | null
  /** Set once the stream is to end. */
  ending: StreamEnd | undefined
}

interface StreamRegistryOptions {
  /** Why a caller's streams have to end; undefined where they may go on. */
  findEnd: (caller: StreamCaller) => StreamEnd | undefined
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
export function createStreamRegistry({ findEnd, checkMs = 1000, maxPerUser = 50 }: StreamRegistryOptions) {
  const open = new Map<EndStream, OpenStream>()
  let timer: ReturnType<typeof setInterval> | undefined

  function end(endStream: EndStream, stream: OpenStream, reason: StreamEnd): void {
    stream.ending ??= reason
    endStream(stream.ending)
  }

  /** Ends invalid streams, and cuts off those whose client has not closed by the next check. */
  function endInvalid(): void {
    for (const [endStream, stream] of open) {
      const reason = stream.ending ?? (stream.caller ? findEnd(stream.caller) : undefined)
      if (reason) end(endStream, stream, reason)
    }
  }

  function endOldestBeyondMax({ identity }: StreamCaller): void {
    const ofUser = [...open].filter(
      ([, { caller, ending }]) => caller?.identity.sub === identity.sub && !ending,
    )
    const [oldest] = ofUser
    if (oldest && ofUser.length > maxPerUser) end(...oldest, 'too_many_streams')
  }

  return {
    /** @returns a function to call once the stream has ended */
    add(caller: StreamCaller | null, endStream: EndStream): () => void {
      open.set(endStream, { caller, ending: undefined })
      if (caller) endOldestBeyondMax(caller)
      timer ??= setInterval(endInvalid, checkMs).unref()
      return function ended() {
        open.delete(endStream)
        if (open.size > 0) return
        clearInterval(timer)
        timer = undefined
      }
    },

    endAll(): void {
      for (const [endStream, stream] of open) end(endStream, stream, 'restart')
    },
  }
}

export type StreamRegistry = ReturnType<typeof createStreamRegistry>
