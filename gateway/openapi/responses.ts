import { z } from 'zod'
import type {
  ZodOpenApiContentObject,
  ZodOpenApiResponseObject,
  ZodOpenApiResponsesObject,
} from 'zod-openapi'
import { oauthErrorResponse, problemResponse } from '../../shared/contract.ts'
import { type ErrorCode, errors } from '../../shared/http/errors.ts'
import { referTo } from './headers.ts'
import type { HeaderName, OperationContract } from './operations/contract.ts'

const ofLimits: readonly HeaderName[] = ['RateLimit', 'RateLimit-Policy']

export function successes(
  answers: OperationContract['responses'],
  { limited }: { limited: boolean },
): ZodOpenApiResponsesObject {
  return Object.fromEntries(
    Object.entries(answers).map(([status, { description, schema, mediaType, headers = [] }]) => [
      status,
      {
        description,
        headers: referTo(['X-Request-Id', ...(limited ? ofLimits : []), ...headers]),
        ...(schema && { content: { [mediaType ?? 'application/json']: { schema } } }),
      } satisfies ZodOpenApiResponseObject,
    ]),
  )
}

type ProblemResponses = Record<string, ZodOpenApiResponseObject>

/**
 * Rejections by their status: each code by its own schema, so that a client knows the members that
 * come with it.
 */
export function problemResponses(codes: readonly ErrorCode[]): ProblemResponses {
  const byStatus = Map.groupBy(new Set(codes), (code) => errors[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      {
        id: ofStatus.join('.'),
        description: ofStatus.map((code) => `\`${code}\`: ${errors[code].title}.`).join('\n\n'),
        headers: referTo(['X-Request-Id', ...ofLimits, ...headersOf(status)]),
        content: { 'application/problem+json': { schema: oneOf(ofStatus.map(problemResponse)) } },
      },
    ]),
  )
}

/** Most operations refuse in the same ways: each way stands in the description once. */
export function createSharedResponses() {
  const shared: ProblemResponses = {}
  return {
    shared,
    refer(responses: ProblemResponses): ZodOpenApiResponsesObject {
      return Object.fromEntries(
        Object.entries(responses).map(([status, { id = status, ...response }]) => {
          shared[id] ??= response
          return [status, { $ref: `#/components/responses/${id}` }]
        }),
      )
    },
  }
}

function headersOf(status: number): HeaderName[] {
  if (status === 401 || status === 403) return ['WWW-Authenticate']
  return status === 429 || status >= 502 ? ['Retry-After'] : []
}

type ProblemSchema = ReturnType<typeof problemResponse>

function oneOf([first, ...others]: readonly ProblemSchema[]): z.ZodType {
  if (!first) throw new Error('a status without a code')
  return others.length === 0 ? first : z.discriminatedUnion('code', [first, ...others])
}

const oauthStatuses: Record<number, string> = {
  400: 'The form, the grant or the token is not good.',
  401: 'The client is not authenticated.',
  403: 'The client lacks a scope.',
  413: 'The form is too large.',
  415: 'The body is no form.',
}

/**
 * OAuth clients read rejections in the form of RFC 6749; what the gateway refuses before comes as
 * problem+json all the same.
 */
export function withOAuthErrors(responses: ProblemResponses): ProblemResponses {
  const ours: ZodOpenApiContentObject = { 'application/json': { schema: oauthErrorResponse } }
  const added = Object.entries(oauthStatuses).map(([status, description]) => {
    const known = responses[status]
    return [
      status,
      {
        id: ['oauth', status, known?.id].filter(Boolean).join('.'),
        description: known ? `${description}\n\n${known.description}` : description,
        headers: known?.headers ?? referTo(['X-Request-Id', ...ofLimits, ...headersOf(Number(status))]),
        content: { ...ours, ...known?.content },
      },
    ]
  })
  return { ...responses, ...Object.fromEntries(added) }
}
