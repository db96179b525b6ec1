import { decodeFormPart, type Form } from './form.ts'

/** The client credentials of a request. */
export type Credentials =
  | { kind: 'none' }
  /** A public client names itself and proves nothing (`none` in RFC 8414). */
  | { kind: 'public'; clientId: string }
  /** client_secret_basic or client_secret_post. */
  | { kind: 'secret'; clientId: string; secret: string; inHeader: boolean }
  /** An Authorization header that is not Basic or not well-formed, or a secret without a name. */
  | { kind: 'unreadable'; inHeader: boolean }
  | { kind: 'repeated' }

/** RFC 6749, section 2.3: a client uses no more than one way to authenticate. */
export function readCredentials(authorization: string | undefined, form: Form): Credentials {
  const clientId = form.get('client_id')
  const secret = form.get('client_secret')
  if (authorization === undefined) {
    if (clientId === undefined)
      return secret === undefined ? { kind: 'none' } : { kind: 'unreadable', inHeader: false }
    if (secret === undefined) return { kind: 'public', clientId }
    return { kind: 'secret', clientId, secret, inHeader: false }
  }
  if (secret !== undefined) return { kind: 'repeated' }
  const basic = readBasic(authorization)
  if (!basic) return { kind: 'unreadable', inHeader: true }
  // Some clients name themselves in the body as well. Two names would be two clients.
  if (clientId !== undefined && clientId !== basic.clientId) return { kind: 'repeated' }
  return { kind: 'secret', ...basic, inHeader: true }
}

const basicScheme = /^Basic +([A-Za-z0-9+/]+={0,2}) *$/i

/**
 * RFC 6749, section 2.3.1: both parts are form-encoded before they become the user and password of
 * RFC 7617.
 */
function readBasic(authorization: string): { clientId: string; secret: string } | undefined {
  const encoded = basicScheme.exec(authorization)?.[1]
  if (!encoded) return undefined
  const pair = Buffer.from(encoded, 'base64').toString()
  const colon = pair.indexOf(':')
  if (colon < 0) return undefined
  const clientId = decodeFormPart(pair.slice(0, colon))
  const secret = decodeFormPart(pair.slice(colon + 1))
  return clientId === undefined || secret === undefined ? undefined : { clientId, secret }
}
