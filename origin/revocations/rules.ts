/**
 * How long an entry outlives the longest access token: an entry counts from the beginning of its
 * transaction, and until the commit tokens are still made from what was before. No transaction of
 * ours takes that long; clocks may differ by a part of it.
 */
const reserveSeconds = 60

/** How long gateways have to know an entry: afterwards no token that it concerns is alive. */
export const revocationLifeSeconds = (accessTokenSeconds: number) => accessTokenSeconds + reserveSeconds
