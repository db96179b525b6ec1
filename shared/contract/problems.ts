import * as z from 'zod'
import { type ErrorCode, errors } from '../http/errors.ts'
import { passwordFaultCode } from './fields.ts'

/**
 * Where in a body, by a JSON pointer (RFC 6901), and what is wrong there; `code` where it is a new
 * password.
 */
const bodyFaults = z.array(
  z.object({ pointer: z.string(), detail: z.string(), code: passwordFaultCode.exactOptional() }),
)

/** Additional members of problems by code. */
const members: Partial<Record<ErrorCode, z.ZodRawShape>> = {
  bad_request: { detail: z.string().exactOptional() },
  query_invalid: { errors: z.array(z.object({ parameter: z.string(), detail: z.string() })).exactOptional() },
  validation_failed: { errors: bodyFaults },
  body_too_large: { limit_bytes: z.int().exactOptional() },
  /** The limits that refused, by name; `detail` says them in words. */
  rate_limited: { 'violated-policies': z.array(z.string()), detail: z.string().exactOptional() },
  permission_required: {
    required_permissions: z.union([
      z.object({ all: z.array(z.string()) }),
      z.object({ any: z.array(z.string()) }),
    ]),
  },
  level_required: { required_level: z.int() },
  /** The token finishes a login within `expires_in` seconds; a step-up has none. */
  mfa_required: {
    factors: z.array(z.enum(['totp', 'recovery_code'])),
    mfa_token: z.string().exactOptional(),
    expires_in: z.int().exactOptional(),
  },
  /** As in the challenge (RFC 9470, section 3). */
  step_up_required: { acr_values: z.string().exactOptional(), max_age: z.int().exactOptional() },
  scope_required: { required_scope: z.string() },
  feature_required: {
    required_feature: z.string(),
    current_plan: z.string(),
    /** null where no plan has it; missing where the plans are not known at this moment. */
    minimum_plan: z.string().nullable().exactOptional(),
    upgrade_url: z.url().exactOptional(),
  },
  escalation_refused: { reason: z.string() },
  /** The kind of its users, and how many there are, where they can be counted. */
  in_use: { used_by: z.string(), count: z.int().exactOptional() },
  /** Characters of the largest token, of this role and plan, and how many a gateway accepts. */
  tokens_too_large: { size: z.int(), limit: z.int(), role: z.string(), plan: z.string() },
}

const pascalCase = (code: string) =>
  code.replaceAll(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase())

function problemSchema(code: ErrorCode) {
  const { status, title } = errors[code]
  return z
    .object({
      type: z.string(),
      title: z.string(),
      status: z.literal(status),
      code: z.literal(code),
      request_id: z.string(),
      ...members[code],
    })
    .meta({ id: `${pascalCase(code)}Problem`, description: title })
}

const schemas = new Map<ErrorCode, ReturnType<typeof problemSchema>>()

/** problem+json (RFC 9457) of a code, the same schema for each that asks. */
export function problemResponse(code: ErrorCode) {
  const schema = schemas.get(code) ?? problemSchema(code)
  schemas.set(code, schema)
  return schema
}
