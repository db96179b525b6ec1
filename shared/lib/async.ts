/** What is there at once where nothing had to be waited for. */
export type Eventually<T> = T | Promise<T>

/**
 * Goes on with a value: at once where it is there, so that the common way through a chain costs no
 * promise and no turn of the event loop.
 */
export function andThen<T, U>(value: Eventually<T>, next: (value: T) => Eventually<U>): Eventually<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}
