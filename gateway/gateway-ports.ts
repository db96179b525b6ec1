import type { ImportSigner, ImportVerifier } from '../shared/auth/jwk.ts'
import type { HealthCheck } from '../shared/http/health.ts'
import type { BeginSpan } from '../shared/http/tracing.ts'
import type { Log } from '../shared/lib/log.ts'
import type { PolicyFile } from './policy/policy-file.ts'
import type { Defer, Now, RateLimitStore, RevocationStream, Store, Transport, WaitUntil } from './ports.ts'
import type { Pages } from './web-ui/pages.ts'

/** What an adapter hands in. */
export interface GatewayPorts<Bindings> {
  transport: Transport
  /** Carries what the gateway asks the origin on its own behalf; without it, `transport` does. */
  ownTransport?: Transport | undefined
  /** Where requests are counted; beside a `store`, where they are counted while that is gone. */
  rateLimitStore: RateLimitStore
  /**
   * Asked by each request in place of what is kept in memory elsewhere. Nothing is followed then,
   * and nothing leased.
   */
  store?: Store | undefined
  waitUntil?: WaitUntil | undefined
  /**
   * By default a microtask; where requests come in one by one within a turn of the event loop, its
   * end.
   */
  defer?: Defer | undefined
  /** How signatures are checked and made; over WebCrypto where nothing else is handed in. */
  importVerifier?: ImportVerifier | undefined
  importSigner?: ImportSigner | undefined
  /** A digest that no two tokens share, for a runtime that has one at once. */
  digest?: ((token: string) => string) | undefined
  /** How limits are counted, where that can change; beside a `store`, that says so itself. */
  limiterHealth?: (() => Promise<HealthCheck>) | undefined
  peerAddress: (bindings: Bindings) => string | undefined
  /**
   * What the socket speaks. Without it the URL decides, which a client writes where it sends the
   * absolute form.
   */
  socketScheme?: ((bindings: Bindings) => 'http' | 'https') | undefined
  now: Now
  log: Log
  isStopping?: (() => boolean) | undefined
  /** News of revocations; without it the origin's feed is read more often. */
  revocationStream?: RevocationStream | undefined
  /** Milliseconds between two looks at what is due of revocations; null where only `hear` looks. */
  revocationTickMs?: number | null | undefined
  /** Begins a span for each request, where somebody collects them. */
  beginSpan?: BeginSpan | undefined
  /** What is answered by ourselves under these paths. */
  pages?: Pages | undefined
  /** Rows that come to those in code. */
  policyFile?: PolicyFile | undefined
}
