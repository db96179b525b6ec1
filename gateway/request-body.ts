import { Problem } from '../shared/errors.ts'
import { within } from '../shared/within.ts'
import type { Route } from './policy.ts'
import type { UpstreamRequest } from './ports.ts'

/** Up to this cap a body is gathered before the upstream is asked: a slow client holds none of its connections then. */
const gatheredBytes = 64 * 1024

/** How long a body that is gathered may take; such a one fits into a few packets. */
const gatherMs = 10_000

interface RequestBody {
  body: UpstreamRequest['body']
  /** Whether a body that is streamed turned out to be longer than its row allows. */
  exceeded: () => boolean
}

/**
 * The body as it goes upstream, never longer than its row allows, whatever its length was said to be.
 *
 * @throws Problem `body_too_large`, `body_timeout`, `client_closed_request`
 */
export async function readRequestBody(request: Request, route: Route): Promise<RequestBody> {
  const { body_bytes: capBytes, deadline_seconds: deadlineSeconds } = route
  if (!request.body || request.headers.get('content-length') === '0')
    return { body: null, exceeded: () => false }
  if (capBytes > gatheredBytes) return capped(request.body, capBytes)
  const body = await gather(request.body, capBytes, Math.min(gatherMs, deadlineSeconds * 1000))
  return { body, exceeded: () => false }
}

export const tooLarge = (capBytes: number) =>
  new Problem('body_too_large', { members: { limit_bytes: capBytes } })

async function gather(
  stream: ReadableStream<Uint8Array>,
  capBytes: number,
  timeoutMs: number,
): Promise<Uint8Array> {
  const reader = stream.getReader()
  const chunks: Uint8Array[] = []
  let seenBytes = 0
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const { done, value } = await readChunk(reader, deadline - performance.now())
    if (done) return joined(chunks, seenBytes)
    seenBytes += value.byteLength
    if (seenBytes > capBytes) throw tooLarge(capBytes)
    chunks.push(value)
  }
}

async function readChunk(reader: ReadableStreamDefaultReader<Uint8Array>, leftMs: number) {
  const read = reader.read().catch((cause) => {
    throw new Problem('client_closed_request', { cause })
  })
  return within(leftMs, read).catch((cause) => {
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

function capped(stream: ReadableStream<Uint8Array>, capBytes: number): RequestBody {
  let seenBytes = 0
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      seenBytes += chunk.byteLength
      if (seenBytes > capBytes) controller.error(new Error('body over its cap'))
      else controller.enqueue(chunk)
    },
  })
  return { body: stream.pipeThrough(counter), exceeded: () => seenBytes > capBytes }
}
