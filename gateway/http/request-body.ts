import { Problem } from '../../shared/http/errors.ts'
import { withTimeout } from '../../shared/lib/with-timeout.ts'
import { maxBufferedBodyBytes } from '../lib/buffered-body.ts'
import { isRead } from '../lib/http-method.ts'
import type { RequestHeaders } from './request-headers.ts'

/**
 * Longest time for a buffered body (1 KB/s); the deadline of the row applies if shorter.
 */
const gatherMs = 60_000

type Framing = Pick<RequestHeaders, 'contentLength' | 'transferEncoding'>

/** Whether a body follows the head. */
export const hasBody = ({ contentLength, transferEncoding }: Framing): boolean =>
  transferEncoding !== undefined || (contentLength !== undefined && contentLength !== 0)

/**
 * Whether a body follows although the method gives it no meaning (RFC 9110, section 9.3.1). The
 * gateway rejects it: its client expects an effect. Forwarding is no option: fetch cannot send one,
 * so runtimes would differ, and caches would ignore it.
 */
export const isBodyUnwanted = (method: string, framing: Framing): boolean =>
  hasBody(framing) && isRead(method)

type Chunks = AsyncIterable<Uint8Array>

export interface RequestBody {
  body: Chunks | Uint8Array | null
  /** Why a streamed body broke off. */
  problem: () => Problem | undefined
  /** Whether the client is slow, and not the upstream. */
  isAwaited: () => boolean
}

export const noBody: RequestBody = { body: null, problem: () => undefined, isAwaited: () => false }

/** Limits of the policy row. */
export interface BodyBounds {
  body_bytes: number
  deadline_seconds: number
  /** Longest silence of a client within its body. */
  idleMs: number
  /** Aborted, with a Problem, when the time of a buffered body is over. */
  signal?: AbortSignal | undefined
}

/**
 * The body to send upstream, never longer than its row allows, whatever Content-Length says. A
 * streamed body is bounded by `idleMs` and by the deadline of its row, which ends at the head of
 * the response.
 *
 * @throws Problem `body_too_large`, `body_timeout`, `client_closed_request`; the reason of `signal`
 */
export async function readRequestBody(chunks: Chunks, bounds: BodyBounds): Promise<RequestBody> {
  return bounds.body_bytes > maxBufferedBodyBytes
    ? streamed(chunks, bounds)
    : { ...noBody, body: await gather(chunks, bounds) }
}

export const tooLarge = (capBytes: number) =>
  new Problem('body_too_large', { members: { limit_bytes: capBytes } })

/** The rest of the body is ignored: nothing more is read from this connection. */
export const bodyTimeout = () => new Problem('body_timeout', { headers: { connection: 'close' } })

async function gather(
  source: Chunks,
  { body_bytes: capBytes, deadline_seconds: deadlineSeconds, idleMs, signal }: BodyBounds,
): Promise<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]()
  const chunks: Uint8Array[] = []
  let seenBytes = 0
  const stopped = signal && rejectOnAbort(signal)
  const deadline = performance.now() + Math.min(gatherMs, deadlineSeconds * 1000)
  for (;;) {
    const { done, value } = await nextChunk(iterator, Math.min(idleMs, deadline - performance.now()), stopped)
    if (done) return joined(chunks, seenBytes)
    seenBytes += value.byteLength
    if (seenBytes > capBytes) throw tooLarge(capBytes)
    chunks.push(value)
  }
}

function rejectOnAbort(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>()
  if (signal.aborted) reject(signal.reason)
  else signal.addEventListener('abort', () => reject(signal.reason))
  // The body may be complete by then.
  promise.catch(() => {})
  return promise
}

async function nextChunk(iterator: AsyncIterator<Uint8Array>, leftMs: number, stopped?: Promise<never>) {
  const next = iterator.next().catch((cause) => {
    throw new Problem('client_closed_request', { cause })
  })
  const first = stopped === undefined ? next : Promise.race([next, stopped])
  return withTimeout(leftMs, first).catch((cause) => {
    throw cause instanceof Problem ? cause : bodyTimeout()
  })
}

function joined(chunks: readonly Uint8Array[], bytes: number): Uint8Array {
  const [only] = chunks
  if (only && chunks.length === 1) return only
  const whole = new Uint8Array(bytes)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.byteLength
  }
  return whole
}

function streamed(source: Chunks, { body_bytes: capBytes, idleMs }: BodyBounds): RequestBody {
  let problem: Problem | undefined
  let isAwaited = false

  async function* bounded() {
    const iterator = source[Symbol.asyncIterator]()
    let seenBytes = 0
    try {
      for (;;) {
        isAwaited = true
        const { done, value } = await nextChunk(iterator, idleMs)
        isAwaited = false
        if (done) return
        seenBytes += value.byteLength
        if (seenBytes > capBytes) throw tooLarge(capBytes)
        yield value
      }
    } catch (error) {
      problem = error as Problem
      throw error
    } finally {
      isAwaited = false
      // Not awaited: it would wait for the next chunk.
      iterator.return?.().catch(() => {})
    }
  }
  return { body: bounded(), problem: () => problem, isAwaited: () => isAwaited }
}

/** As a web stream, for transports that accept nothing else. */
export function toStream(chunks: Chunks): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.asyncIterator]()
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await iterator.next()
      if (done) controller.close()
      else controller.enqueue(value)
    },
    async cancel() {
      await iterator.return?.()
    },
  })
}
