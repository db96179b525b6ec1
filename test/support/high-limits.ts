/** Limits out of the way, for tests whose subject they are not. */
export const highLimits = {
  LIMIT_ADDRESS_REQUESTS: '1000000',
  LIMIT_MAIL_REQUESTS: '1000000',
  LIMIT_ACCOUNT_REQUESTS: '1000000',
  LIMIT_FAILURES: '1000000',
  LIMIT_CREDENTIALS_TRIES: '1000000',
}
