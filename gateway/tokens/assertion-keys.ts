import { assertionKeySeconds, requestAssertionKey } from '../../shared/auth/assertion-keys.ts'
import type { ImportSigner, PrivateJwk, Signer } from '../../shared/auth/jwk.ts'
import type { Log } from '../../shared/lib/log.ts'
import type { EpochSeconds } from '../../shared/lib/time.ts'
import { createSingleFlight } from '../lib/single-flight.ts'
import type { Now, WaitUntil } from '../ports.ts'

interface AssertionKeysOptions {
  /** The gateway's own key. */
  own: Signer
  /** @returns the encrypted key; null where the origin has none to sign with */
  fetchKey: (request: string) => Promise<string | null>
  importSigner: ImportSigner
  waitUntil?: WaitUntil | undefined
  now: Now
  log: Log
}

/** Time between two reads of the key. */
const refreshSeconds = 60

/**
 * The key with which this gateway signs assertions, as the origin rotates it. The gateway's own key
 * signs until the first one is read, and where the origin has not confirmed a key for
 * `assertionKeySeconds`: services know it at any time.
 */
export function createAssertionKeys(options: AssertionKeysOptions) {
  const { own, fetchKey, importSigner, now, log } = options
  let current = own
  let confirmedAt: EpochSeconds = 0
  let refreshAt: EpochSeconds = 0

  const nowSeconds = () => Math.floor(now() / 1000)

  function use(signer: Signer): void {
    if (signer.kid === current.kid) return
    current = signer
    log.info({ kid: signer.kid, own: signer === own }, 'another key signs assertions')
  }

  async function fetchSigner(): Promise<Signer> {
    const { request, decrypt } = await requestAssertionKey(own, nowSeconds())
    const encrypted = await fetchKey(request)
    if (encrypted === null) return own
    const jwk: PrivateJwk = await decrypt(encrypted)
    return jwk.kid === current.kid ? current : importSigner(jwk)
  }

  async function read(): Promise<void> {
    refreshAt = nowSeconds() + refreshSeconds
    try {
      use(await fetchSigner())
      confirmedAt = nowSeconds()
    } catch (error) {
      log.warn({ err: error }, 'assertion key not read')
      if (nowSeconds() - confirmedAt >= assertionKeySeconds) use(own)
    }
  }

  const reading = createSingleFlight(read, options.waitUntil)

  return {
    /** Reads the key. Never rejects. */
    refresh: reading.run,

    /** The key that signs now; it is read again beside the requests. */
    signer(at: EpochSeconds): Signer {
      if (at >= refreshAt) void reading.run()
      return current
    },
  }
}
