import type { ZodOpenApiHeaderObject } from 'zod-openapi'
import type { HeaderName } from '../endpoint/endpoint.ts'

const text = (description: string, example?: string) => ({
  description,
  schema: { type: 'string' as const },
  ...(example !== undefined && { example }),
})

export const headers: Record<HeaderName, ZodOpenApiHeaderObject> = {
  Link: text('The next page, as `rel="next"` (RFC 8288); missing on the last one.'),
  RateLimit: text(
    'What is left of each limit, and in how many seconds it starts anew (draft-ietf-httpapi-ratelimit-headers).',
    '"user";r=19987;t=2412',
  ),
  'RateLimit-Policy': text(
    'The limits that apply: so many requests in so many seconds. The quota of a user is that of the plan.',
    '"user";q=20000;w=3600',
  ),
  'Retry-After': {
    description: 'Seconds to wait before the same request is worth a try.',
    schema: { type: 'integer' },
  },
  'Set-Cookie': text('`__Host-gatehouse_device`, and in cookie mode `__Host-gatehouse_refresh`.'),
  'WWW-Authenticate': text('The challenge (RFC 6750, section 3).', 'Bearer error="invalid_token"'),
  'X-Request-Id': text('Names the request in every log line about it; the one that was sent, or a new one.'),
}

export const referTo = (names: readonly HeaderName[]) =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
