import { urlTokenParameter } from '../../shared/contract.ts'
import { addressKey } from '../../shared/http/address-key.ts'
import { Problem } from '../../shared/http/errors.ts'
import { type Awaitable, chain } from '../../shared/lib/async.ts'
import { readTarget } from '../policy/request-target.ts'
import type { UrlTokenVerifier } from '../tokens/url-token-verifier.ts'
import type { VerifiedToken } from '../tokens/verified-token.ts'

/** The token of a signed URL, and the path and query that it came with. */
export interface UrlCredential {
  token: string
  /** Normalized, without the token. */
  target: string
}

/** The token is the last parameter of a query. */
const tokenInQuery = new RegExp(`[?&]${urlTokenParameter}=([^&]*)$`)

/**
 * Takes the token of a signed URL out of a query, so that neither the upstream nor its log gets it.
 *
 * @param query with its `?`, or empty
 */
export function splitUrlToken(
  path: string,
  query: string,
): { query: string; credential: UrlCredential | undefined } {
  const found = tokenInQuery.exec(query)
  if (!found) return { query, credential: undefined }
  const rest = query.slice(0, found.index)
  return { query: rest, credential: { token: found[1] as string, target: path + rest } }
}

/** The request that a signed URL came with. */
interface SignedRequest {
  method: string
  /** The client's address. */
  address: string
  hasOtherCredential: boolean
}

/** A signed URL is good for a GET of its own path and query, and beside no other credential. */
export function createAuthenticateUrl(urlTokens: UrlTokenVerifier) {
  /** Throws or rejects with Problem `invalid_token` and those of `UrlTokenVerifier.verify`. */
  return function authenticateUrl(
    { token, target }: UrlCredential,
    { method, address, hasOtherCredential }: SignedRequest,
  ): Awaitable<VerifiedToken> {
    if (hasOtherCredential) throw new Problem('invalid_token', { cause: 'two credentials' })
    return chain(urlTokens.verify(token, addressKey(address)), (signed) => {
      const claimed = readTarget(signed.target)
      if (method !== 'GET' || claimed.path + claimed.query !== target)
        throw new Problem('invalid_token', { cause: 'signed for another path or method' })
      return signed.caller
    })
  }
}
