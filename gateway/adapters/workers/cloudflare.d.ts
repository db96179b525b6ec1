/** Used parts of the platform's modules. */

declare module 'cloudflare:sockets' {
  import type { Connect } from './redis.ts'

  export const connect: Connect
}

declare module 'cloudflare:workers' {
  /** The bindings of this Worker: variables and secrets among them. */
  export const env: Record<string, unknown>
  /** Keeps the current request's context alive until the promise has settled. */
  export function waitUntil(work: Promise<unknown>): void
}

/** A file that the bundler imports as its text. */
declare module '*.yaml' {
  const text: string
  export default text
}
