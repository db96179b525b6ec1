import type { RawHeaders } from './headers.ts'
/**
 * W3C Trace Context and Baggage: what a request says of the trace it belongs to, and how much of
 * that we believe.
 */

export interface TraceContext {
  /** 32 hexadecimal digits. */
  traceId: string
  /** 16 hexadecimal digits: the span that the request comes from. */
  parentId: string
  /** Whether the caller may have recorded its part. */
  sampled: boolean
}

/**
 * The headers as they came; one that came twice has both values, joined by a comma, and is none
 * then.
 */
export interface TraceHeaders {
  traceparent?: string | undefined
  tracestate?: string | undefined
  baggage?: string | undefined
}

/**
 * Version 00 has these four parts; a later one may have more, and is read as 00 (Trace Context,
 * section 3.2.4).
 */
const pattern = /^(?!ff)([\da-f]{2})-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(-.*)?$/

const longestTraceparent = 128

/**
 * @returns undefined for what is none: whoever sent it is not part of a trace, as far as we can
 *   tell
 */
export function readTraceparent(text: string | undefined): TraceContext | undefined {
  if (text === undefined || text.length > longestTraceparent) return undefined
  const [, version, traceId, parentId, flags, rest] = pattern.exec(text) ?? []
  if (!traceId || !parentId || !flags || (version === '00' && rest !== undefined)) return undefined
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

/**
 * What both specifications demand of everybody to carry; more than that a stranger shall not make
 * every service behind us carry.
 */
const longestState = 512
const mostStates = 32
const longestBaggage = 8192
const mostBaggage = 64

const hasMoreMembers = (list: string, most: number) => list.split(',').length > most

/**
 * `tracestate` is worth nothing without the `traceparent` it belongs to (Trace Context, section
 * 4.3).
 */
export function passableState({ traceparent, tracestate }: TraceHeaders): string | undefined {
  if (tracestate === undefined || readTraceparent(traceparent) === undefined) return undefined
  return tracestate.length > longestState || hasMoreMembers(tracestate, mostStates) ? undefined : tracestate
}

/**
 * Adds the headers that go on with a request, names and values in turn. What is malformed or too
 * long ends here. Where nobody records a span of ours, the caller's own `traceparent` goes on as it
 * came: the next service's parent is the caller. We begin no trace of our own then, as to say that
 * it is not sampled would keep everybody behind us from sampling.
 *
 * @param own what says our span's id instead of the caller's, where there is one
 */
export function addTraceHeaders(
  headers: RawHeaders,
  given: TraceHeaders,
  own?: { traceparent: string; tracestate?: string | undefined },
): void {
  const { baggage } = given
  const traceparent = own ? own.traceparent : readTraceparent(given.traceparent) && given.traceparent
  const tracestate = own ? own.tracestate : passableState(given)
  if (traceparent !== undefined) headers.push('traceparent', traceparent)
  if (tracestate !== undefined) headers.push('tracestate', tracestate)
  if (baggage !== undefined && baggage.length <= longestBaggage && !hasMoreMembers(baggage, mostBaggage))
    headers.push('baggage', baggage)
}
