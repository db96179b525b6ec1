import type { RawHeaders } from './headers.ts'
/**
 * W3C Trace Context and Baggage: reads and bounds the trace headers of a request.
 */

export interface TraceContext {
  /** 32 hexadecimal digits. */
  traceId: string
  /** 16 hexadecimal digits: the span that the request comes from. */
  parentId: string
  /** The `sampled` flag. */
  sampled: boolean
}

/**
 * Headers as received. A repeated `traceparent` is joined by a comma and so invalid.
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

const maxTraceparentLength = 128

/**
 * @returns undefined for a malformed header
 */
export function readTraceparent(text: string | undefined): TraceContext | undefined {
  if (text === undefined || text.length > maxTraceparentLength) return undefined
  const [, version, traceId, parentId, flags, rest] = pattern.exec(text) ?? []
  if (!traceId || !parentId || !flags || (version === '00' && rest !== undefined)) return undefined
  return { traceId, parentId, sampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

/**
 * Minimum sizes that both specifications require; clients cannot make the services behind the
 * gateway carry more.
 */
const maxStateLength = 512
const maxStateMembers = 32
const maxBaggageLength = 8192
const maxBaggageMembers = 64

const hasMoreMembers = (list: string, max: number) => list.split(',').length > max

/**
 * `tracestate` is dropped without its `traceparent` (Trace Context, section 4.3).
 */
export function passableState({ traceparent, tracestate }: TraceHeaders): string | undefined {
  if (tracestate === undefined || readTraceparent(traceparent) === undefined) return undefined
  return tracestate.length > maxStateLength || hasMoreMembers(tracestate, maxStateMembers)
    ? undefined
    : tracestate
}

/**
 * Adds the trace headers for the next service. Malformed or oversized ones are dropped. Without a
 * recorded span the caller's `traceparent` passes unchanged. No new trace begins then: an unsampled
 * one would keep later services from sampling.
 *
 * @param own headers of the gateway's span, if one is recorded
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
  if (
    baggage !== undefined &&
    baggage.length <= maxBaggageLength &&
    !hasMoreMembers(baggage, maxBaggageMembers)
  )
    headers.push('baggage', baggage)
}
