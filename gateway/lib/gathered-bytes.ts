/**
 * Up to this cap a body is gathered before the upstream is asked: a slow client holds none of its
 * connections then.
 */
export const gatheredBytes = 64 * 1024
