/** A value, or a promise of it where something had to be awaited. */
export type Awaitable<T> = T | Promise<T>

/**
 * `then` for an Awaitable: calls `next` with the value, synchronously unless it is a promise. The
 * common case costs no promise and no tick of the event loop.
 */
export function chain<T, U>(value: Awaitable<T>, next: (value: T) => Awaitable<U>): Awaitable<U> {
  return value instanceof Promise ? value.then(next) : next(value)
}
