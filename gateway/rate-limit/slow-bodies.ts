import { Problem } from '../../shared/http/errors.ts'

interface SlowBodiesOptions {
  /** Bodies of one caller that may be on their way at once. */
  most: number
  longestMs: number
}

type Stop = (problem: Problem) => void

/**
 * Bounds the bodies of one caller that are on their way at once. One beyond the bound ends the one
 * that began first: a request whose body comes with its head is served, however many others of its
 * caller send theirs slowly.
 */
export function createSlowBodies({ most, longestMs }: SlowBodiesOptions) {
  /** By caller, in the order of their beginning. */
  const bodiesOf = new Map<string, Map<Stop, () => Problem>>()

  return {
    /** Callers with bodies on their way. */
    get size() {
      return bodiesOf.size
    },

    /** @param toProblem made where the body gives way to a later one */
    begin(caller: string, toProblem: () => Problem) {
      const controller = new AbortController()
      const timer = setTimeout(() => stop(new Problem('body_timeout')), longestMs)
      const bodies = bodiesOf.get(caller) ?? new Map<Stop, () => Problem>()

      function end(): void {
        clearTimeout(timer)
        if (bodies.delete(stop) && bodies.size === 0) bodiesOf.delete(caller)
      }
      function stop(problem: Problem): void {
        end()
        controller.abort(problem)
      }

      if (bodies.size >= most) {
        const [first] = bodies
        if (first) first[0](first[1]())
      }
      bodies.set(stop, toProblem)
      bodiesOf.set(caller, bodies)
      return { signal: controller.signal, end }
    },
  }
}
