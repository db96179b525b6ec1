import { Problem } from '../../shared/http/errors.ts'

interface BodyLimiterOptions {
  /** Bodies of one address in transit at once. */
  maxBodies: number
  maxMs: number
}

type Stop = (problem: Problem) => void

/**
 * Bounds the request bodies of one address in transit. One more ends the oldest, so that a request
 * whose body arrives with its head is served while others of the address send slowly.
 */
export function createBodyLimiter({ maxBodies, maxMs }: BodyLimiterOptions) {
  /** By address, oldest first. */
  const bodiesOf = new Map<string, Map<Stop, () => Problem>>()

  return {
    /** Addresses with bodies in transit. */
    get size() {
      return bodiesOf.size
    },

    /** @param toProblem creates the problem of a body that is ended for a later one */
    begin(key: string, toProblem: () => Problem) {
      const controller = new AbortController()
      const timer = setTimeout(() => stop(new Problem('body_timeout')), maxMs)
      const bodies = bodiesOf.get(key) ?? new Map<Stop, () => Problem>()

      function end(): void {
        clearTimeout(timer)
        if (bodies.delete(stop) && bodies.size === 0) bodiesOf.delete(key)
      }
      function stop(problem: Problem): void {
        end()
        controller.abort(problem)
      }

      if (bodies.size >= maxBodies) {
        const [first] = bodies
        if (first) first[0](first[1]())
      }
      bodies.set(stop, toProblem)
      bodiesOf.set(key, bodies)
      return { signal: controller.signal, end }
    },
  }
}
