import type { Context } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { deviceCookie } from '../../shared/http/headers.ts'
import { hostCookieAttributes } from '../http/host-cookie.ts'
import { deviceLifeSeconds } from './device-tokens.ts'

export const readDeviceCookie = (c: Context) => getCookie(c, deviceCookie)

export function setDeviceCookie(c: Context, token: string): void {
  setCookie(c, deviceCookie, token, { ...hostCookieAttributes, maxAge: deviceLifeSeconds })
}
