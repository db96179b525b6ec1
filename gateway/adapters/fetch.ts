import { withTimeout } from '../../shared/lib/with-timeout.ts'
import { type Transport, TransportError } from '../ports.ts'

/** Takes what fetch takes; some runtimes know more settings than the standard has. */
type Fetch = (url: string, init: RequestInit & Record<string, unknown>) => Promise<Response>

interface FetchTransportOptions {
  fetch: Fetch
  /** Of this runtime's fetch. */
  settings?: Record<string, unknown>
  /**
   * Settings that come to those for a request on a connection of its own, where the runtime has
   * some.
   */
  freshSettings?: Record<string, unknown>
  /**
   * Whether the runtime lets a script read a body as its upstream has encoded it, and so bound its
   * silence.
   */
  boundsSilence?: boolean
}

/**
 * Carries requests over the runtime's own fetch, told to leave everything alone: redirects, and
 * encodings where it has a setting for that. What a client accepts is said for it even where it
 * said nothing, as fetch would say what it accepts itself, and decode it.
 */
export function createFetchTransport({
  fetch,
  settings = {},
  freshSettings = {},
  boundsSilence = true,
}: FetchTransportOptions): Transport {
  return async function transport(request) {
    const { baseUrl, target, method, headers, body, signal, deadlineMs, idleMs, isFresh } = request
    // A timer of our own: it covers the response's head, while the signal covers the body too.
    const deadline = new AbortController()
    const timer = setTimeout(() => deadline.abort(), deadlineMs)
    const broken = new AbortController()
    if (!headers.has('accept-encoding')) headers.set('accept-encoding', 'identity')
    try {
      const response = await fetch(baseUrl + target, {
        method,
        headers,
        body: (body instanceof ReadableStream ? wholeOrNothing(body, broken) : body) as BodyInit | null,
        signal: AbortSignal.any([signal, deadline.signal, broken.signal]),
        redirect: 'manual',
        duplex: 'half',
        ...settings,
        ...(isFresh && freshSettings),
      })
      return boundsSilence ? withBoundedSilence(response, idleMs) : response
    } catch (error) {
      throw new TransportError(
        signal.aborted || broken.signal.aborted
          ? 'client_left'
          : deadline.signal.aborted
            ? 'timeout'
            : 'unreachable',
        error,
      )
    } finally {
      clearTimeout(timer)
    }
  }
}

/** The same response, whose body breaks off where its upstream is silent for longer than that. */
function withBoundedSilence(response: Response, idleMs: number): Response {
  if (!response.body) return response
  const reader = response.body.getReader()
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await withTimeout(idleMs, reader.read())
        if (done) controller.close()
        else controller.enqueue(value)
      } catch (error) {
        controller.error(error)
        await reader.cancel(error)
      }
    },
    cancel: (reason) => reader.cancel(reason),
  })
  return new Response(body, response)
}

/**
 * A body that breaks off cancels its request and never ends: workerd would tell the upstream of a
 * clean end, and it would act on a part for the whole.
 */
function wholeOrNothing(
  body: ReadableStream<Uint8Array>,
  broken: AbortController,
): ReadableStream<Uint8Array> {
  const reader = body.getReader()
  return new ReadableStream({
    async pull(controller) {
      const piece = await reader.read().catch((error: unknown) => {
        broken.abort(error)
        return undefined
      })
      if (piece === undefined) return new Promise<never>(() => {})
      if (piece.done) controller.close()
      else controller.enqueue(piece.value)
    },
    cancel: (reason) => reader.cancel(reason),
  })
}
