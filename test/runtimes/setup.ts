import { beforeEach, inject } from 'vitest'
import type { startGatewayHarness } from './gateway-harness.ts'
import { skips } from './skips.ts'

type GatewayHarness = Awaited<ReturnType<typeof startGatewayHarness>>

declare module 'vitest' {
  interface ProvidedContext extends Pick<GatewayHarness, 'signingKey' | 'demoPassword' | 'upstreamPort'> {
    /** A runtime's name. */
    runtime: string
    gatewayPort: number
  }
}

beforeEach(({ task, skip }) => {
  const reason = skips[inject('runtime')]?.[task.name]
  if (reason) skip(reason)
})
