import type { ZodOpenApiContentObject } from 'zod-openapi'
import { oauthErrorResponse } from '../../shared/contract.ts'
import type { HeaderName } from '../../shared/endpoint/endpoint.ts'
import { referTo } from '../../shared/openapi/headers.ts'
import { headersOfError, type ProblemResponses } from '../../shared/openapi/responses.ts'

const oauthStatuses: Record<number, string> = {
  400: 'The form, the grant or the token is not good.',
  401: 'The client is not authenticated.',
  403: 'The client lacks a scope.',
  413: 'The form is too large.',
  415: 'The body is no form.',
}

/**
 * OAuth clients read errors in the form of RFC 6749; those of the gateway itself come as
 * problem+json all the same.
 *
 * @param common headers of every response
 */
export function withOAuthErrors(
  responses: ProblemResponses,
  common: readonly HeaderName[],
): ProblemResponses {
  const oauthContent: ZodOpenApiContentObject = { 'application/json': { schema: oauthErrorResponse } }
  const added = Object.entries(oauthStatuses).map(([status, description]) => {
    const known = responses[status]
    return [
      status,
      {
        id: ['oauth', status, known?.id].filter(Boolean).join('.'),
        description: known ? `${description}\n\n${known.description}` : description,
        headers: known?.headers ?? referTo([...common, ...headersOfError(Number(status))]),
        content: { ...oauthContent, ...known?.content },
      },
    ]
  })
  return { ...responses, ...Object.fromEntries(added) }
}
