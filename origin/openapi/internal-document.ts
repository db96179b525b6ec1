import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi'
import { scopes } from '../../shared/contract/oauth/scopes.ts'
import { gatewayReports, services } from '../../shared/contract.ts'
import type { EndpointGroup, HeaderName } from '../../shared/endpoint/endpoint.ts'
import type { ErrorCode } from '../../shared/http/errors.ts'
import { assertionHeader } from '../../shared/http/headers.ts'
import { codesOfEndpoint } from '../../shared/openapi/codes.ts'
import { headers } from '../../shared/openapi/headers.ts'
import { describeRequest } from '../../shared/openapi/request.ts'
import { createSharedResponses, describeProblems, describeSuccesses } from '../../shared/openapi/responses.ts'
import { tidySchema } from '../../shared/openapi/tidy-schema.ts'

interface Caller {
  group: EndpointGroup
  securityScheme: keyof typeof securitySchemes
  /** Codes for other callers. */
  codes: readonly ErrorCode[]
  /** Whether a limit counts its requests. */
  isLimited: boolean
}

const callers: readonly Caller[] = [
  {
    group: services,
    securityScheme: 'serviceToken',
    codes: ['token_missing', 'invalid_token', 'scope_required', 'rate_limited'],
    isLimited: true,
  },
  {
    group: gatewayReports,
    securityScheme: 'gatewayAssertion',
    codes: ['untrusted_caller'],
    isLimited: false,
  },
]

const securitySchemes = {
  serviceToken: {
    type: 'oauth2',
    description: 'An access token of the client itself (RFC 6749, section 4.4), as `Authorization: Bearer`.',
    flows: { clientCredentials: { tokenUrl: '/oauth/token', scopes } },
  },
  gatewayAssertion: {
    type: 'apiKey',
    in: 'header',
    name: assertionHeader,
    description: 'A JWT that a gateway signs for requests of its own.',
  },
} as const

const about = `The API of the origin for services and gateways inside the network. The gateway has no route to it.

Every error is problem+json (RFC 9457) with a stable \`code\`, and every response names its request in \`X-Request-Id\`.`

const common: readonly HeaderName[] = ['X-Request-Id']

/** Beside them, of requests that a limit counts. */
const ofLimited: readonly HeaderName[] = ['RateLimit', 'RateLimit-Policy']

/** Headers that responses of the origin have. */
const {
  RateLimit: rateLimit,
  'RateLimit-Policy': rateLimitPolicy,
  'Retry-After': retryAfter,
  'WWW-Authenticate': challenge,
  'X-Request-Id': requestId,
} = headers

/** Codes that any request may get. */
const always: readonly ErrorCode[] = [
  'bad_request',
  'head_timeout',
  'expectation_failed',
  'too_many_fields',
  'internal_error',
  'database_unavailable',
  'http_version_not_supported',
]

const codesOfPath = (path: string): ErrorCode[] => (path.includes('{') ? ['not_found'] : [])

/**
 * Describes `/internal`, which services and gateways call at the origin itself, from the contracts
 * that it is served by (OpenAPI 3.1).
 */
export function describeInternalApi({
  version,
  product = 'Gatehouse',
}: {
  version: string
  product?: string
}) {
  const { shared, refer } = createSharedResponses()
  const paths: ZodOpenApiPathsObject = {}

  for (const { group, securityScheme, codes, isLimited } of callers) {
    const ofGroup = isLimited ? [...common, ...ofLimited] : common
    for (const [operationId, endpoint] of Object.entries(group.endpoints)) {
      const { method, path, summary, description, responses, scope } = endpoint
      const operation: ZodOpenApiOperationObject = {
        tags: [group.name],
        operationId,
        summary,
        ...(description !== undefined && { description }),
        ...describeRequest(endpoint),
        responses: {
          ...describeSuccesses(responses, ofGroup),
          ...refer(
            describeProblems(
              [...always, ...codes, ...codesOfPath(path), ...codesOfEndpoint(endpoint)],
              ofGroup,
            ),
          ),
        },
        security: [{ [securityScheme]: scope === undefined ? [] : [scope] }],
      }
      paths[path] = { ...paths[path], [method.toLowerCase()]: operation }
    }
  }

  return createDocument(
    {
      openapi: '3.1.1',
      info: {
        title: `${product} internal API`,
        version,
        description: about,
        license: { name: 'MIT', identifier: 'MIT' },
      },
      servers: [{ url: '/' }],
      tags: callers.map(({ group: { name, description } }) => ({ name, description })),
      paths,
      components: {
        headers: {
          RateLimit: rateLimit,
          'RateLimit-Policy': rateLimitPolicy,
          'Retry-After': retryAfter,
          'WWW-Authenticate': challenge,
          'X-Request-Id': requestId,
        },
        responses: shared,
        securitySchemes,
      },
    },
    { override: tidySchema },
  )
}
