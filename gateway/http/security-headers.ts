import { createMiddleware } from 'hono/factory'
import type { RequestLogEnv } from '../../shared/http/request-log.ts'
import { isRowWithHeaders, ofUpstream, type RowHeaders } from '../policy/row-headers.ts'

const policyHeader = 'content-security-policy'
const resourceHeader = 'cross-origin-resource-policy'

/**
 * Security headers of an API: no response is a page, so loading, framing and sniffing are off. HSTS
 * lasts one year.
 */
export const securityHeaders = {
  [policyHeader]: "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'cross-origin-opener-policy': 'same-origin',
  [resourceHeader]: 'same-origin',
  'origin-agent-cluster': '?1',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-permitted-cross-domain-policies': 'none',
  'x-xss-protection': '0',
} as const

/** A security header of one row. */
interface SecurityHeader {
  name: string
  value: string
  /** Whether a value of the upstream takes the place of this one. */
  isOfUpstream: boolean
}

/** The security headers of a row that sets some of them itself. */
export function securityHeadersOf({ csp, corp }: RowHeaders): SecurityHeader[] {
  const own: Partial<Record<string, string | undefined>> = { [policyHeader]: csp, [resourceHeader]: corp }
  return Object.entries(securityHeaders).map(([name, byDefault]) => {
    const value = own[name]
    const isOfUpstream = value === ofUpstream
    return { name, value: value === undefined || isOfUpstream ? byDefault : value, isOfUpstream }
  })
}

/** Set on every response, errors included, in place of the upstream's values. */
export function addSecurityHeaders() {
  const common = Object.entries(securityHeaders).map(([name, value]) => ({
    name,
    value,
    isOfUpstream: false,
  }))
  return createMiddleware<RequestLogEnv>(async function addSecurityHeaders(c, next) {
    await next()
    const { route } = c.get('lifecycle')
    for (const { name, value, isOfUpstream } of isRowWithHeaders(route) ? securityHeadersOf(route) : common)
      if (!(isOfUpstream && c.res.headers.has(name))) c.res.headers.set(name, value)
  })
}
