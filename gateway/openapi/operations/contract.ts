import type { z } from 'zod'
import type { ErrorCode } from '../../../shared/http/errors.ts'

/**
 * What a description says of an operation that the policy table does not: what goes in, what comes
 * out, and in which words.
 */
export interface OperationContract {
  /** Names the operation in clients that are generated from the description. */
  id: string
  summary: string
  description?: string
  /** A JSON body. */
  body?: z.ZodType
  /** A form (application/x-www-form-urlencoded), where OAuth asks for one. */
  form?: z.ZodType
  query?: z.ZodRawShape
  responses: Partial<Record<200 | 202 | 204 | 503, ResponseContract>>
  /** Codes beside those that follow from the row, the body and the query. */
  problems?: readonly ErrorCode[]
  /**
   * Proof of the caller beside an access token: the refresh token's cookie, or the credentials of
   * an OAuth client.
   */
  credential?: 'refreshCookie' | 'client'
}

interface ResponseContract {
  description: string
  /** Without one the response has no body. */
  schema?: z.ZodType
  mediaType?: string
  headers?: readonly HeaderName[]
}

export type HeaderName =
  | 'Link'
  | 'RateLimit'
  | 'RateLimit-Policy'
  | 'Retry-After'
  | 'Set-Cookie'
  | 'WWW-Authenticate'
  | 'X-Request-Id'

export interface Subject {
  name: string
  description: string
  /** By `METHOD /path`, as the policy table has them. */
  operations: Record<string, OperationContract>
}
