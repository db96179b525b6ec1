/**
 * Bodies up to this size are buffered before the upstream is called, so that a slow client holds no
 * upstream connection.
 */
export const maxBufferedBodyBytes = 64 * 1024
