import { knowsGateway, readAccessToken, readAssertion, userIdOf } from './gatehouse.js'
import { readOwnToken } from './own-tokens.js'

/**
 * Finds the user of a request in one of three ways. The gateway's assertion names the caller of a
 * route that it protects. Where it passes the Authorization header on, or is not there at all, that
 * has a token of the shop itself, or one of Gatehouse from a client that has exchanged its own.
 */
export async function authenticate(request, response, next) {
  const assertion = request.get('gatehouse-assertion')
  if (knowsGateway && assertion !== undefined) {
    const opened = readAssertion(assertion)
    if (!opened) return reject(response, 'Gatehouse-Assertion', 'untrusted_caller')
    if (opened.user) {
      request.userId = await userIdOf(opened.user)
      return next()
    }
  }
  const [, token = ''] = /^Bearer (.+)$/i.exec(request.get('authorization') ?? '') ?? []
  request.userId = readOwnToken(token) ?? (await readForeign(token))
  if (request.userId === undefined) return reject(response, 'Bearer error="invalid_token"', 'invalid_token')
  return next()
}

async function readForeign(token) {
  const claims = await readAccessToken(token)
  return claims && userIdOf(claims)
}

const reject = (response, challenge, code) =>
  void response.status(401).set('www-authenticate', challenge).json({ code })
