/** Reasons why the gateway ends a WebSocket or a stream of events, each with its close code. */
const closeCodes = {
  /** The access token has expired, or its session has ended: refresh, or log in again. */
  token_expired: 4401,
  session_ended: 4401,
  /** The role, the plan or the account has changed: refresh, and see what is still allowed. */
  claims_stale: 4403,
  /** The user has opened more streams than one may have: the oldest ends. */
  too_many_streams: 4429,
  /** This instance stops: connect again at once, to another (RFC 6455, section 7.4.1). */
  restart: 1001,
} as const

export type StreamEnd = keyof typeof closeCodes

/** The close code of RFC 6455; those from 4000 on are an application's own. */
export const closeCodeOf = (reason: StreamEnd): number => closeCodes[reason]

/** The last event of a stream of server-sent events. Without an id, so `Last-Event-ID` stays. */
export const endEventOf = (reason: StreamEnd): string =>
  `event: gatehouse-end\ndata: ${JSON.stringify({ code: closeCodes[reason], reason })}\n\n`
