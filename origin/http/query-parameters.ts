import { zValidator } from '@hono/zod-validator'
import type { z } from 'zod'
import { Problem } from '../../shared/http/errors.ts'
import { listSchemaFaults } from '../../shared/lib/schema-faults.ts'

/**
 * Validates the query of a request.
 *
 * @param schema a strict object: an unknown parameter is a fault
 * @param subject what the parameters belong to, for the detail of an unknown one
 * @throws Problem `query_invalid` that names each parameter at fault
 */
export function queryParameters<Schema extends z.ZodType>(schema: Schema, subject: 'list' | 'path') {
  return zValidator('query', schema, (result) => {
    if (result.success) return
    const errors = listSchemaFaults(result.error).map(({ path, message, isUnknownKey }) => ({
      parameter: String(path[0]),
      detail: isUnknownKey ? `is not a parameter of this ${subject}` : message,
    }))
    throw new Problem('query_invalid', { members: { errors } })
  })
}
