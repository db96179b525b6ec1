import type { ImportSigner, ImportVerifier } from '../shared/auth/jwk.ts'
import type { HealthCheck } from '../shared/http/health.ts'
import type { BeginSpan } from '../shared/http/tracing.ts'
import type { Log } from '../shared/lib/log.ts'
import type { CreateLimitBackend } from './limit-backend.ts'
import type { PolicyFile } from './policy/policy-file.ts'
import type { Now, RevocationStream, Transport, WaitUntil } from './ports.ts'
import type { Pages } from './web-ui/pages.ts'

/** The ports of one gateway, as its adapter gives them. */
export interface GatewayPorts<Bindings> {
  transport: Transport
  /** Sends the gateway's own requests to the origin; by default `transport`. */
  originTransport?: Transport | undefined
  /** `createBatchedBackend(...)` or `createPerRequestBackend(...)`. */
  createLimitBackend: CreateLimitBackend
  waitUntil?: WaitUntil | undefined
  /** Verify and make signatures; by default with WebCrypto. */
  importVerifier?: ImportVerifier | undefined
  importSigner?: ImportSigner | undefined
  /** A collision-resistant digest, for a runtime with a synchronous one. */
  digest?: ((token: string) => string) | undefined
  peerAddress: (bindings: Bindings) => string | undefined
  /**
   * Scheme of the socket. By default that of the URL, which the client writes where it sends the
   * absolute form.
   */
  socketScheme?: ((bindings: Bindings) => 'http' | 'https') | undefined
  now: Now
  log: Log
  isStopping?: (() => boolean) | undefined
  /** Health of all processes on one port, where this gateway is one of several. */
  groupHealth?: (() => Promise<HealthCheck>) | undefined
  /** Without a stream the origin's feed of revocations is read more often. */
  revocationStream?: RevocationStream | undefined
  /**
   * Milliseconds between two checks whether a read of revocations is due; null for none, as in
   * tests.
   */
  revocationTickMs?: number | null | undefined
  /** Begins a span for each request, where spans are collected. */
  beginSpan?: BeginSpan | undefined
  /** Pages that the gateway serves itself, by path. */
  pages?: Pages | undefined
  /** Rows that are added to those in code. */
  policyFile?: PolicyFile | undefined
}
