import type { TokenResponse } from '../../../shared/contract.ts'
import type { MonotonicMs } from '../../../shared/lib/time.ts'
import { sessionOf } from './call.ts'

/** A session as its client knows it. */
export interface ClientSession {
  id: string
  refreshToken: string
  accessToken: string
  /** End of the access token's life. */
  expiresAt: MonotonicMs
}

/** Sessions that have ended whose access tokens are tried again. */
const remembered = 8

/** The sessions of one account, those that ended last among them. */
export function createKnownSessions() {
  const live: ClientSession[] = []
  const ended: ClientSession[] = []

  const fromTokens = ({ access_token, refresh_token, expires_in }: TokenResponse): ClientSession => ({
    id: sessionOf(access_token),
    refreshToken: refresh_token,
    accessToken: access_token,
    expiresAt: performance.now() + expires_in * 1000,
  })

  return {
    live: live as readonly ClientSession[],
    ended: ended as readonly ClientSession[],
    add: (tokens: TokenResponse) => void live.push(fromTokens(tokens)),
    renew: (session: ClientSession, tokens: TokenResponse) => void Object.assign(session, fromTokens(tokens)),
    end(session: ClientSession): void {
      const index = live.indexOf(session)
      if (index < 0) return
      live.splice(index, 1)
      ended.push({ ...session })
      if (ended.length > remembered) ended.shift()
    },
  }
}
