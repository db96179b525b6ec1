import { withTimeout } from '../../shared/lib/with-timeout.ts'
import { type Transport, TransportError } from '../ports.ts'

/** `fetch`, with settings beyond the standard of some runtimes. */
type Fetch = (url: string, init: RequestInit & Record<string, unknown>) => Promise<Response>

interface FetchTransportOptions {
  fetch: Fetch
  /** Settings of this runtime's fetch. */
  settings?: Record<string, unknown>
  /**
   * Further settings for a request on a new connection, where the runtime has some.
   */
  freshSettings?: Record<string, unknown>
  /**
   * Whether the runtime exposes undecoded bodies, which lets the transport bound their silence.
   */
  boundsSilence?: boolean
}

/**
 * Transport over the runtime's fetch, without redirects and, where there is a setting, without
 * decoding. Accept-Encoding is always set, as fetch would otherwise send its own and decode the
 * response.
 */
export function createFetchTransport({
  fetch,
  settings = {},
  freshSettings = {},
  boundsSilence = true,
}: FetchTransportOptions): Transport {
  return async function transport(request) {
    const { baseUrl, target, method, headers, body, signal, deadlineMs, idleMs, isFresh } = request
    // Own timer: it covers the response's head only, while the signal covers the body too.
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

/** Fails the response's body if the upstream is silent for longer than `idleMs`. */
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
 * A failing request body aborts the request and never ends: workerd would signal a clean end, and
 * the upstream would process a truncated body.
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
