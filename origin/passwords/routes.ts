import { Hono } from 'hono'
import {
  type AcceptedAnswer,
  changePasswordBody,
  forgotPasswordBody,
  resetPasswordBody,
} from '../../shared/contract.ts'
import { setDeviceCookie } from '../auth/device-cookie.ts'
import type { DeviceTokens } from '../auth/device-tokens.ts'
import { type OriginEnv, requireUser } from '../caller.ts'
import { jsonBody } from '../json-body.ts'
import type { PasswordService } from './service.ts'

interface PasswordRoutesOptions {
  passwords: PasswordService
  deviceTokens: DeviceTokens
  minLength: number
}

export function createPasswordRoutes({ passwords, deviceTokens, minLength }: PasswordRoutesOptions) {
  const routes = new Hono<OriginEnv>()

  routes.post('/', ...jsonBody(changePasswordBody(minLength)), async (c) => {
    const { sub, sid, email } = requireUser(c.get('user'))
    const { current_password: currentPassword, new_password: newPassword } = c.req.valid('json')
    const owner = { userId: sub, sessionId: sid }
    const change = { email, currentPassword, newPassword }
    const passwordVersion = await passwords.change(owner, change, c.get('client'))
    // The change made every known device a stranger; this one has just proven itself.
    const device = { id: crypto.randomUUID(), userId: sub, passwordVersion }
    setDeviceCookie(c, await deviceTokens.sign(device))
    return c.body(null, 204)
  })

  routes.post('/forgot', ...jsonBody(forgotPasswordBody), async (c) => {
    await passwords.forgot(c.req.valid('json').email, c.get('client'))
    return c.json({ status: 'accepted' } satisfies AcceptedAnswer, 202)
  })

  routes.post('/reset', ...jsonBody(resetPasswordBody(minLength)), async (c) => {
    const { token, password } = c.req.valid('json')
    await passwords.reset(token, password, c.get('client'))
    return c.body(null, 204)
  })

  return routes
}
