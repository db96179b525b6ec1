import type { Context } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { deviceCookie } from '../../shared/headers.ts'
import { deviceLifeSeconds } from './device-tokens.ts'

export const readDeviceCookie = (c: Context) => getCookie(c, deviceCookie)

export function setDeviceCookie(c: Context, token: string): void {
  const maxAge = deviceLifeSeconds
  setCookie(c, deviceCookie, token, { path: '/', secure: true, httpOnly: true, sameSite: 'Strict', maxAge })
}
