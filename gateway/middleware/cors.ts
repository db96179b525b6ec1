import { cors } from 'hono/cors'

/** What a frontend may read of an answer beyond the safelisted headers. */
export const exposedFields = [
  'Link',
  'RateLimit',
  'RateLimit-Policy',
  'Retry-After',
  'WWW-Authenticate',
  'X-Request-Id',
]

/** CORS by exact origins: no pattern, so no suffix, prefix or other port can slip in, and `null` is never one. */
export function allowOrigins(origins: readonly string[]) {
  const allowed = new Set(origins)
  return cors({
    origin: (origin) => (allowed.has(origin) ? origin : null),
    credentials: true,
    allowMethods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowHeaders: ['Authorization', 'Content-Type', 'X-Request-Id'],
    exposeHeaders: exposedFields,
    maxAge: 600,
  })
}
