import { type Transport, TransportError } from '../ports.ts'

/** Takes what fetch takes; some runtimes know more settings than the standard has. */
type Fetch = (url: string, init: RequestInit & Record<string, unknown>) => Promise<Response>

/**
 * Carries requests over the runtime's own fetch, told to leave everything alone: redirects, and encodings where it has a setting for that. What a
 * client accepts is said for it even where it said nothing, as fetch would say what it accepts itself, and decode it.
 *
 * @param settings of this runtime's fetch
 */
export function createFetchTransport(fetch: Fetch, settings: Record<string, unknown> = {}): Transport {
  return async function transport({ origin, target, method, headers, body, signal, deadlineMs }) {
    // A timer of our own: it covers the answer's head, while the signal covers the body too.
    const deadline = new AbortController()
    const timer = setTimeout(() => deadline.abort(), deadlineMs)
    if (!headers.has('accept-encoding')) headers.set('accept-encoding', 'identity')
    try {
      return await fetch(origin + target, {
        method,
        headers,
        body: body as BodyInit | null,
        signal: AbortSignal.any([signal, deadline.signal]),
        redirect: 'manual',
        duplex: 'half',
        ...settings,
      })
    } catch (error) {
      throw new TransportError(
        signal.aborted ? 'client_left' : deadline.signal.aborted ? 'timeout' : 'unreachable',
        error,
      )
    } finally {
      clearTimeout(timer)
    }
  }
}
