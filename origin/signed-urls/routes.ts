import { Hono } from 'hono'
import { signedUrls } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { serve } from '../http/serve.ts'
import type { SignedUrlService } from './service.ts'

const signedIn = requireAuthorization({})

export function createSignedUrlRoutes({ urls }: { urls: SignedUrlService }) {
  const routes = new Hono<OriginEnv>()

  serve(routes, signedUrls.endpoints.createSignedUrl, signedIn, async ({ body, respond }, c) => {
    const { sub, sid } = requireUser(c.get('user'))
    const { path, expires_in: lifeSeconds } = body
    const signed = await urls.sign({ userId: sub, sessionId: sid }, path, lifeSeconds)
    // The gateway has not read the revocation yet.
    if (!signed) throw new Problem('session_ended')
    return respond({ url: signed.url, expires_in: signed.expiresIn })
  })

  return routes
}
