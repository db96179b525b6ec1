/**
 * Points in time as numbers. The types are plain aliases: they name the unit and the zero that
 * a number does not show, and need no cast beside `Date.now()` or an `exp` claim. Durations have no
 * type; their names end in their unit (`waitMs`, `lifeSeconds`).
 */

/** Milliseconds since 1970-01-01T00:00:00Z, as `Date.now()` returns them. */
export type EpochMs = number

/** Seconds since 1970-01-01T00:00:00Z: NumericDate of JWT (RFC 7519, section 2). */
export type EpochSeconds = number

/** Milliseconds of `performance.now()`, which no change of the clock moves: for measuring alone. */
export type MonotonicMs = number

/** Reads the clock. Decisions take its value, and tests pass a clock of their own. */
export type Now = () => EpochMs
