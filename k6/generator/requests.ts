import { addressOf } from '../client/address.ts'
import { drawKind, type Kind } from '../client/mix.ts'

/** A user of a line in the environment's file of users. */
export interface GeneratedUser {
  number: number
  id: string
  email: string
  refreshToken: string
  accessToken: string
}

export interface GeneratedRequest {
  kind: Kind
  text: string
  /** Whether a response of 200 is that of the user who asked. */
  isOwn: (response: string) => boolean
}

/** @param first number of the first of them */
export function parseUsers(lines: readonly string[], first: number): GeneratedUser[] {
  return lines.map((line, index) => {
    const [id = '', email = '', _plan, _expiresAt, refreshToken = '', accessToken = ''] = line.split(' ')
    return { number: first + index, id, email, refreshToken, accessToken }
  })
}

interface RequestsOptions {
  users: readonly GeneratedUser[]
  password: string
  /** By default in the mix of a product. */
  draw?: () => Kind
}

/**
 * Requests of users drawn at random. A refresh takes the next user who has not refreshed yet, as
 * the generator keeps no new tokens; the access tokens of before stay valid. Where nobody is left,
 * the user reads instead.
 */
export function createRequests({ users, password, draw = () => drawKind(Math.random()) }: RequestsOptions) {
  let refreshed = 0

  const get = (path: string, user: GeneratedUser) =>
    `GET ${path} HTTP/1.1\r\n${headersOf(user)}authorization: Bearer ${user.accessToken}\r\n\r\n`

  function post(path: string, user: GeneratedUser, body: object): string {
    const json = JSON.stringify(body)
    return (
      `POST ${path} HTTP/1.1\r\n${headersOf(user)}` +
      `content-type: application/json\r\ncontent-length: ${json.length}\r\n\r\n${json}`
    )
  }

  const make: Record<Kind, (user: GeneratedUser) => GeneratedRequest> = {
    feed: (user) => ({
      kind: 'feed',
      text: get('/v1/feed', user),
      isOwn: (response) => response.includes(`"user_id":"${user.id}"`),
    }),
    me: (user) => ({
      kind: 'me',
      text: get('/v1/me', user),
      isOwn: (response) => response.includes(`"id":"${user.id}"`),
    }),
    refresh(user) {
      const next = users[refreshed]
      if (!next) return make.feed(user)
      refreshed++
      return {
        kind: 'refresh',
        text: post('/auth/refresh', next, { refresh_token: next.refreshToken }),
        isOwn: (response) => subjectOf(response) === next.id,
      }
    },
    login: (user) => ({
      kind: 'login',
      text: post('/auth/login', user, { email: user.email, password }),
      isOwn: (response) => subjectOf(response) === user.id,
    }),
  }

  /** @param active of the users, those from the first on who have come so far */
  return function nextRequest(active: number): GeneratedRequest {
    const user = users[Math.floor(Math.random() * active)] as GeneratedUser
    return make[draw()](user)
  }
}

const headersOf = (user: GeneratedUser) =>
  `host: 127.0.0.1\r\nx-forwarded-for: ${addressOf(user.number)}\r\naccept: application/json\r\n`

/** Reads alone, in their proportion of the mix. */
export function drawRead(): Kind {
  for (;;) {
    const kind = drawKind(Math.random())
    if (kind === 'feed' || kind === 'me') return kind
  }
}

/** Of the access token in an answer. */
function subjectOf(response: string): unknown {
  const claims = /"access_token":"[\w-]+\.([\w-]+)\./.exec(response)?.[1] ?? ''
  return claims === '' ? undefined : JSON.parse(Buffer.from(claims, 'base64url').toString()).sub
}
