import * as z from 'zod'
import { defineEndpointGroup } from '../endpoint/endpoint.ts'
import { email, moment, utcDateTime } from './fields.ts'
import { filteredList } from './lists.ts'

const accountId = z.guid().optional()

/** Included, and not included. */
const period = { from: moment.optional(), to: moment.optional() }

const auditLogFilters = {
  user_id: accountId,
  actor_id: accountId,
  email: email
    .optional()
    .meta({ description: 'The address of an account that the events concern, or that did them.' }),
  action: z
    .string()
    .max(100)
    .regex(/^[a-z_]+\.[a-z_]+$/)
    .optional(),
  ...period,
}

const loginAttemptFilters = {
  email: email.optional(),
  ip: z.union([z.ipv4(), z.ipv6()], { error: 'is not an address' }).optional(),
  user_id: accountId,
  outcome: z.enum(['succeeded', 'failed']).optional(),
  ...period,
}

const rateLimitLogFilters = {
  key: z
    .string()
    .min(1)
    .max(200)
    .regex(/^\P{Cc}+$/u)
    .optional(),
  class: z
    .string()
    .regex(/^[a-z_]{1,40}$/)
    .optional(),
  ...period,
}

/**
 * One security event. `user_id` is the account it concerns, `actor_id` the account that did it.
 * Their addresses are those of today, null where the account is gone. Times have microseconds.
 */
const auditLogItem = z
  .object({
    id: z.string(),
    action: z.string(),
    actor_id: z.uuid().nullable(),
    actor_email: z.string().nullable(),
    user_id: z.uuid().nullable(),
    user_email: z.string().nullable(),
    session_id: z.uuid().nullable(),
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    request_id: z.string().nullable(),
    details: z.record(z.string(), z.unknown()),
    created_at: utcDateTime,
  })
  .meta({ id: 'AuditLog' })

export type AuditLogItem = z.output<typeof auditLogItem>

/** `user_id` is null where the address has no account. */
const loginAttemptItem = z
  .object({
    id: z.string(),
    email: z.string(),
    user_id: z.uuid().nullable(),
    ip: z.string().nullable(),
    user_agent: z.string().nullable(),
    outcome: z.enum(['succeeded', 'failed']),
    reason: z.string().nullable(),
    created_at: utcDateTime,
  })
  .meta({ id: 'LoginAttempt' })

export type LoginAttemptItem = z.output<typeof loginAttemptItem>

/**
 * Requests that one limit refused within some seconds before `created_at`. `report_only`: the limit
 * only reports, so they were served.
 */
const rateLimitLogItem = z
  .object({
    id: z.string(),
    class: z.string(),
    key: z.string(),
    method: z.string(),
    route: z.string(),
    count: z.int(),
    report_only: z.boolean(),
    created_at: utcDateTime,
  })
  .meta({ id: 'RateLimitLog' })

export type RateLimitLogItem = z.output<typeof rateLimitLogItem>

export const audit = defineEndpointGroup({
  name: 'Trail',
  description: 'Audit log, login attempts and requests rejected by a limit, the newest first.',
  endpoints: {
    listAuditLogs: {
      method: 'GET',
      path: '/admin/audit-logs',
      summary: 'List the audit log',
      ...filteredList(auditLogItem, auditLogFilters),
    },
    listLoginAttempts: {
      method: 'GET',
      path: '/admin/login-attempts',
      summary: 'List login attempts',
      ...filteredList(loginAttemptItem, loginAttemptFilters),
    },
    listRateLimitLogs: {
      method: 'GET',
      path: '/admin/rate-limit-logs',
      summary: 'List requests rejected by a limit',
      ...filteredList(rateLimitLogItem, rateLimitLogFilters),
    },
  },
})
