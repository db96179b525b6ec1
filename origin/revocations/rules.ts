/**
 * How long an entry outlives the longest access token: an entry counts from the start of its
 * transaction, and until the commit tokens are made from the former state. The time covers the
 * longest transaction and the difference of clocks.
 */
const reserveSeconds = 60

/** Lifetime of an entry: afterwards no token that it concerns is live. */
export const revocationLifeSeconds = (accessTokenSeconds: number) => accessTokenSeconds + reserveSeconds
