import { beforeEach, inject } from 'vitest'
import type { startGround } from './ground.ts'
import { skips } from './skips.ts'

type Ground = Awaited<ReturnType<typeof startGround>>

declare module 'vitest' {
  interface ProvidedContext extends Pick<Ground, 'signingKey' | 'demoPassword' | 'upstreamPort'> {
    /** A runtime's name. */
    runtime: string
    gatewayPort: number
  }
}

beforeEach(({ task, skip }) => {
  const reason = skips[inject('runtime')]?.[task.name]
  if (reason) skip(reason)
})
