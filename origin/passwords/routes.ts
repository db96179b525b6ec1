import { type Context, Hono } from 'hono'
import { createPasswordEndpoints } from '../../shared/contract.ts'
import { Problem } from '../../shared/http/errors.ts'
import type { RequireStepUp } from '../factors/assurance.ts'
import type { CookieOrigins } from '../http/cookie-origins.ts'
import { type OriginEnv, requireUser } from '../http/request-context.ts'
import { serve } from '../http/serve.ts'
import { readDeviceCookie, setDeviceCookie } from '../lockout/device-cookie.ts'
import type { Device, DeviceTokens } from '../lockout/device-tokens.ts'
import type { PasswordService } from './service.ts'

interface PasswordRoutesOptions {
  passwords: PasswordService
  deviceTokens: DeviceTokens
  cookieOrigins: CookieOrigins
  requireStepUp: RequireStepUp
  passwordMinLength: number
}

export function createPasswordRoutes({
  passwords,
  deviceTokens,
  cookieOrigins,
  requireStepUp,
  passwordMinLength,
}: PasswordRoutesOptions) {
  const { changePassword, forgotPassword, resetPassword } = createPasswordEndpoints({ passwordMinLength })
  const routes = new Hono<OriginEnv>()

  /** A new password makes all known devices unknown, except the one that sets it. */
  async function remember(
    c: Context,
    { userId, passwordVersion }: Pick<Device, 'userId' | 'passwordVersion'>,
  ) {
    if (!cookieOrigins.mayRemember(c)) return
    const known = await deviceTokens.read(readDeviceCookie(c))
    setDeviceCookie(c, await deviceTokens.sign({ id: crypto.randomUUID(), userId, passwordVersion }, known))
  }

  serve(routes, changePassword, requireStepUp('any'), async ({ body, respond }, c) => {
    const { sub, sid, email } = requireUser(c.get('user'))
    const { current_password: currentPassword, new_password: newPassword } = body
    const owner = { userId: sub, sessionId: sid }
    const change = { email, currentPassword, newPassword }
    const outcome = await passwords.change(owner, change, c.get('context'))
    switch (outcome.kind) {
      case 'changed':
        await remember(c, { userId: sub, passwordVersion: outcome.passwordVersion })
        return respond()
      case 'wrong_password':
        throw new Problem('password_wrong')
    }
  })

  serve(routes, forgotPassword, async ({ body, respond }, c) => {
    await passwords.forgot(body.email, c.get('context'))
    return respond({ status: 'accepted' })
  })

  serve(routes, resetPassword, async ({ body: { token, password }, respond }, c) => {
    const outcome = await passwords.reset(token, password, c.get('context'))
    switch (outcome.kind) {
      case 'changed':
        await remember(c, outcome)
        return respond()
      case 'link_invalid':
        throw new Problem('link_invalid')
    }
  })

  return routes
}
