import { Problem } from '../shared/errors.ts'
import { within } from '../shared/within.ts'
import type { Route } from './policy.ts'

/** Up to this cap a body is gathered before the upstream is asked: a slow client holds none of its connections then. */
const gatheredBytes = 64 * 1024

/** How long a body that is gathered may take; such a one fits into a few packets. */
const gatherMs = 10_000

type Chunks = AsyncIterable<Uint8Array>

export interface RequestBody {
  body: Chunks | Uint8Array | null
  /** Whether a body that is streamed turned out to be longer than its row allows. */
  exceeded: () => boolean
}

export const noBody: RequestBody = { body: null, exceeded: () => false }

/**
 * The body as it goes upstream, never longer than its row allows, whatever its length was said to be.
 *
 * @throws Problem `body_too_large`, `body_timeout`, `client_closed_request`
 */
export async function readRequestBody(
  chunks: Chunks,
  { body_bytes: capBytes, deadline_seconds: deadlineSeconds }: Pick<Route, 'body_bytes' | 'deadline_seconds'>,
): Promise<RequestBody> {
  if (capBytes > gatheredBytes) return capped(chunks, capBytes)
  return { ...noBody, body: await gather(chunks, capBytes, Math.min(gatherMs, deadlineSeconds * 1000)) }
}

export const tooLarge = (capBytes: number) =>
  new Problem('body_too_large', { members: { limit_bytes: capBytes } })

async function gather(source: Chunks, capBytes: number, timeoutMs: number): Promise<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]()
  const chunks: Uint8Array[] = []
  let seenBytes = 0
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const { done, value } = await nextChunk(iterator, deadline - performance.now())
    if (done) return joined(chunks, seenBytes)
    seenBytes += value.byteLength
    if (seenBytes > capBytes) throw tooLarge(capBytes)
    chunks.push(value)
  }
}

async function nextChunk(iterator: AsyncIterator<Uint8Array>, leftMs: number) {
  const next = iterator.next().catch((cause) => {
    throw new Problem('client_closed_request', { cause })
  })
  return within(leftMs, next).catch((cause) => {
    // The rest of the body may come or not: nothing more is read from this connection.
    throw cause instanceof Problem ? cause : new Problem('body_timeout', { headers: { connection: 'close' } })
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

function capped(source: Chunks, capBytes: number): RequestBody {
  let seenBytes = 0
  async function* counted() {
    for await (const chunk of source) {
      seenBytes += chunk.byteLength
      if (seenBytes > capBytes) throw tooLarge(capBytes)
      yield chunk
    }
  }
  return { body: counted(), exceeded: () => seenBytes > capBytes }
}

/** As the streams of the web have it, for transports that take nothing else. */
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
