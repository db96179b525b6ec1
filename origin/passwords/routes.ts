import { type Context, Hono } from 'hono'
import {
  type AcceptedResponse,
  changePasswordBody,
  forgotPasswordBody,
  resetPasswordBody,
} from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { CookieOrigins } from '../http/cookie-origins.ts'
import { jsonBody } from '../http/json-body.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { requireAuthorization } from '../http/require-authorization.ts'
import { readDeviceCookie, setDeviceCookie } from '../lockout/device-cookie.ts'
import type { Device, DeviceTokens } from '../lockout/device-tokens.ts'
import type { PasswordService } from './service.ts'

interface PasswordRoutesOptions {
  passwords: PasswordService
  deviceTokens: DeviceTokens
  cookieOrigins: CookieOrigins
  minLength: number
}

export function createPasswordRoutes({
  passwords,
  deviceTokens,
  cookieOrigins,
  minLength,
}: PasswordRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  /** A new password makes every known device a stranger; this one has just proven itself. */
  async function remember(
    c: Context,
    { userId, passwordVersion }: Pick<Device, 'userId' | 'passwordVersion'>,
  ) {
    if (!cookieOrigins.mayRemember(c)) return
    const known = await deviceTokens.read(readDeviceCookie(c))
    setDeviceCookie(c, await deviceTokens.sign({ id: crypto.randomUUID(), userId, passwordVersion }, known))
  }

  routes.post('/', requireAuthorization({}), ...jsonBody(changePasswordBody(minLength)), async (c) => {
    const { sub, sid, email } = requireUser(c.get('user'))
    const { current_password: currentPassword, new_password: newPassword } = c.req.valid('json')
    const owner = { userId: sub, sessionId: sid }
    const change = { email, currentPassword, newPassword }
    const outcome = await passwords.change(owner, change, c.get('context'))
    switch (outcome.kind) {
      case 'changed':
        await remember(c, { userId: sub, passwordVersion: outcome.passwordVersion })
        return c.body(null, 204)
      case 'wrong_password':
        throw new Problem('password_wrong')
    }
  })

  routes.post('/forgot', ...jsonBody(forgotPasswordBody), async (c) => {
    await passwords.forgot(c.req.valid('json').email, c.get('context'))
    return c.json({ status: 'accepted' } satisfies AcceptedResponse, 202)
  })

  routes.post('/reset', ...jsonBody(resetPasswordBody(minLength)), async (c) => {
    const { token, password } = c.req.valid('json')
    const outcome = await passwords.reset(token, password, c.get('context'))
    switch (outcome.kind) {
      case 'changed':
        await remember(c, outcome)
        return c.body(null, 204)
      case 'link_invalid':
        throw new Problem('link_invalid')
    }
  })

  return routes
}
