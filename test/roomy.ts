/** Limits out of the way, for tests whose subject they are not. */
export const roomy = { LIMIT_ADDRESS_REQUESTS: '1000000', LIMIT_CREDENTIALS_TRIES: '1000000' }
