import { zValidator } from '@hono/zod-validator'
import { createMiddleware } from 'hono/factory'
import type { z } from 'zod'
import { isOptionalBody } from '../../shared/endpoint/endpoint.ts'
import { Problem } from '../../shared/http/errors.ts'
import { listSchemaFaults, type SchemaFault } from '../../shared/lib/schema-faults.ts'

/**
 * A browser sends `text/plain` across origins without a preflight, so only application/json counts
 * as JSON. A request without a body needs no preflight either, but one with our cookie needs an
 * allowed Origin.
 */
function requireJson({ isOptional }: { isOptional: boolean }) {
  return createMiddleware(async function requireJson(c, next) {
    const contentType = c.req.header('content-type')
    const isJson = contentType?.split(';')[0]?.trim().toLowerCase() === 'application/json'
    const isLeftOut = async () =>
      isOptional && contentType === undefined && (await c.req.arrayBuffer()).byteLength === 0
    if (!isJson && !(await isLeftOut())) throw new Problem('unsupported_media_type')
    await next()
  })
}

/**
 * Requires a JSON body and validates it; a JSON pointer (RFC 6901) names the field of each fault. A
 * body whose fields are all optional may be missing.
 */
export function jsonBody<Schema extends z.ZodType>(schema: Schema) {
  const validate = zValidator('json', schema, (result) => {
    if (result.success) return
    const errors = listSchemaFaults(result.error).map(toBodyFault)
    throw new Problem('validation_failed', { members: { errors } })
  })
  return [requireJson({ isOptional: isOptionalBody(schema) }), validate] as const
}

function toBodyFault({ path, message, isUnknownKey, code }: SchemaFault) {
  if (isUnknownKey) return { pointer: pointer(path), detail: 'is not a field one may set' }
  return { pointer: pointer(path), detail: message, ...(code && { code }) }
}

function pointer(path: readonly PropertyKey[]): string {
  return path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}
