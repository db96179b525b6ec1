import { createMiddleware } from 'hono/factory'

/**
 * Security headers of an API: no response is a page, so loading, framing and sniffing are off. HSTS
 * lasts one year.
 */
export const securityHeaders = {
  'content-security-policy':
    "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
  'strict-transport-security': 'max-age=31536000; includeSubDomains',
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'origin-agent-cluster': '?1',
  'x-dns-prefetch-control': 'off',
  'x-download-options': 'noopen',
  'x-permitted-cross-domain-policies': 'none',
  'x-xss-protection': '0',
} as const

/** Set on every response, errors included, in place of the upstream's values. */
export function addSecurityHeaders() {
  const entries = Object.entries(securityHeaders)
  return createMiddleware(async function addSecurityHeaders(c, next) {
    await next()
    for (const [name, value] of entries) c.res.headers.set(name, value)
  })
}
