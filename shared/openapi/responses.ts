import * as z from 'zod'
import type { ZodOpenApiResponseObject, ZodOpenApiResponsesObject } from 'zod-openapi'
import { problemResponse } from '../contract.ts'
import type { Endpoint, HeaderName } from '../endpoint/endpoint.ts'
import { type ErrorCode, errors } from '../http/errors.ts'
import { referTo } from './headers.ts'

/** @param common headers of every response */
export function describeSuccesses(
  responses: Endpoint['responses'],
  common: readonly HeaderName[],
): ZodOpenApiResponsesObject {
  return Object.fromEntries(
    Object.entries(responses).map(([status, { description, schema, mediaType, headers = [] }]) => [
      status,
      {
        description,
        headers: referTo([...common, ...headers]),
        ...(schema && { content: { [mediaType ?? 'application/json']: { schema } } }),
      } satisfies ZodOpenApiResponseObject,
    ]),
  )
}

export type ProblemResponses = Record<string, ZodOpenApiResponseObject>

/**
 * Errors by their status: each code by its own schema, so that a client knows the members that come
 * with it.
 *
 * @param common headers of every response
 */
export function describeProblems(
  codes: readonly ErrorCode[],
  common: readonly HeaderName[],
): ProblemResponses {
  const byStatus = Map.groupBy(new Set(codes), (code) => errors[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, ofStatus]) => [
      status,
      {
        id: ofStatus.join('.'),
        description: ofStatus.map((code) => `\`${code}\`: ${errors[code].title}.`).join('\n\n'),
        headers: referTo([...common, ...headersOfError(status)]),
        content: { 'application/problem+json': { schema: oneOf(ofStatus.map(problemResponse)) } },
      },
    ]),
  )
}

/** Most operations fail in the same ways: each way stands in the document once. */
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

export function headersOfError(status: number): HeaderName[] {
  if (status === 401 || status === 403) return ['WWW-Authenticate']
  return status === 429 || status >= 502 ? ['Retry-After'] : []
}

type ProblemSchema = ReturnType<typeof problemResponse>

function oneOf([first, ...others]: readonly ProblemSchema[]): z.ZodType {
  if (!first) throw new Error('a status without a code')
  return others.length === 0 ? first : z.discriminatedUnion('code', [first, ...others])
}
