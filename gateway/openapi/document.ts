import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi'
import { createPublicContract, health, urlTokenParameter } from '../../shared/contract.ts'
import {
  type Endpoint,
  type EndpointGroup,
  endpointKey,
  type HeaderName,
} from '../../shared/endpoint/endpoint.ts'
import { refreshCookie } from '../../shared/http/headers.ts'
import { codesOfEndpoint } from '../../shared/openapi/codes.ts'
import { headers } from '../../shared/openapi/headers.ts'
import { describeRequest } from '../../shared/openapi/request.ts'
import { createSharedResponses, describeProblems, describeSuccesses } from '../../shared/openapi/responses.ts'
import { tidySchema } from '../../shared/openapi/tidy-schema.ts'
import { nameOfUse } from '../limits/limit-schema.ts'
import { type CompiledRow, compileRow, type PolicyRow } from '../policy/policy.ts'
import { codesOfRow } from './codes.ts'
import { type MergedDescription, mergeUpstreams } from './merge-upstreams.ts'
import { withOAuthErrors } from './oauth-errors.ts'
import type { UpstreamDocument } from './upstream-document.ts'

interface DescriptionOptions {
  /** The rows in code: each has a contract. */
  rows: readonly PolicyRow[]
  /** Those of a policy file: of them is known what the row says and no more. */
  fileRows?: readonly PolicyRow[]
  /** OpenAPI documents of upstreams, by their names: operations are taken from them. */
  documents?: ReadonlyMap<string, UpstreamDocument>
  version: string
  /** The name of the product whose API this is. */
  product?: string
  /** As the origin is configured; by default the least that it may be. */
  passwordMinLength?: number
}

const about = `Every refusal is problem+json (RFC 9457) with a stable \`code\`, and every answer names its request in \`X-Request-Id\`.

- **Tokens.** Log in, and send the access token as \`Authorization: Bearer\`. On 401 \`claims_stale\` refresh once and repeat the request; on 401 \`session_ended\` log in again.
- **Limits.** \`RateLimit-Policy\` and \`RateLimit\` say what is left; 429 comes with \`Retry-After\`.
- **Lists** have \`limit\` and \`cursor\`; the next page is in \`next_cursor\` and the \`Link\` header.`

/** Headers of every response to a request that limits count. */
const common: readonly HeaderName[] = ['X-Request-Id', 'RateLimit', 'RateLimit-Policy']

const others = {
  name: 'Services',
  description: 'Services behind the gateway, by the rows of its policy file.',
}

const securitySchemes = {
  accessToken: {
    type: 'http',
    scheme: 'bearer',
    bearerFormat: 'JWT',
    description: 'The access token of a login.',
  },
  apiKey: {
    type: 'apiKey',
    in: 'header',
    name: 'X-API-Key',
    description: 'An API key, which may be sent as `Authorization: Bearer`, too.',
  },
  refreshCookie: {
    type: 'apiKey',
    in: 'cookie',
    name: refreshCookie,
    description: 'In cookie mode: the refresh token, from a page whose origin is allowed.',
  },
  urlToken: {
    type: 'apiKey',
    in: 'query',
    name: urlTokenParameter,
    description: 'The token of a signed URL, for this path and query alone.',
  },
  client: { type: 'http', scheme: 'basic', description: 'Id and secret of an OAuth client.' },
} as const

/**
 * The API description (OpenAPI 3.1), made of the policy table and the schemas that the services are
 * held by.
 *
 * @throws Error where a row of the table has no contract, or a contract no row
 */
export function describeApi({
  rows,
  fileRows = [],
  documents,
  version,
  product = 'Gatehouse',
  passwordMinLength = 8,
}: DescriptionOptions) {
  const groups: readonly EndpointGroup[] = createPublicContract({ passwordMinLength })
  const operations = new Map(
    groups.flatMap(({ name, endpoints }) =>
      Object.entries(endpoints).map(
        ([id, endpoint]) => [endpointKey(endpoint), { id, tag: name, endpoint }] as const,
      ),
    ),
  )
  const { shared, refer } = createSharedResponses()
  const paths: ZodOpenApiPathsObject = {}
  const add = (method: string, path: string, operation: ZodOpenApiOperationObject) => {
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation }
  }

  for (const compiled of rows.flatMap(compileRow)) {
    const key = endpointKey(compiled)
    const found = operations.get(key)
    if (!found) throw new Error(`${key} has no contract in shared/contract`)
    operations.delete(key)
    const { id, tag, endpoint } = found
    add(compiled.method, compiled.path, {
      tags: [tag],
      operationId: id,
      ...operationOf(compiled, endpoint, refer),
    })
  }
  const [rowless] = operations.keys()
  if (rowless) throw new Error(`${rowless} has a contract, but no row in gateway/routes.ts`)

  for (const row of fileRows.flatMap(compileRow)) {
    add(row.method, templateOf(row.path), { tags: [others.name], ...bareOperationOf(row, refer) })
  }
  for (const [operationId, { method, path, summary, responses }] of Object.entries<Endpoint>(
    health.endpoints,
  )) {
    add(method, path, {
      tags: [health.name],
      operationId,
      summary,
      security: [],
      responses: describeSuccesses(responses, ['X-Request-Id']),
    })
  }

  const tags = [...groups, ...(fileRows.length > 0 ? [others] : []), health]
  const description = createDocument(
    {
      openapi: '3.1.1',
      info: { title: product, version, description: about, license: { name: 'MIT', identifier: 'MIT' } },
      servers: [{ url: '/' }],
      tags: tags.map(({ name, description }) => ({ name, description })),
      paths,
      components: { headers, responses: shared, securitySchemes },
    },
    { override: tidySchema },
  )
  if (documents) {
    const merged = description as unknown as MergedDescription
    mergeUpstreams({ description: merged, rows, fileRows, documents })
  }
  return description
}

type Refer = ReturnType<typeof createSharedResponses>['refer']

function operationOf(row: CompiledRow, endpoint: Endpoint, refer: Refer): ZodOpenApiOperationObject {
  const { summary, description, responses, credential } = endpoint
  const errors = describeProblems([...codesOfRow(row), ...codesOfEndpoint(endpoint)], common)
  return {
    summary,
    description: [description, needs(row)].filter(Boolean).join('\n\n'),
    ...describeRequest(endpoint),
    responses: {
      ...describeSuccesses(responses, common),
      ...refer(credential === 'client' ? withOAuthErrors(errors, common) : errors),
    },
    security: securityOf(row, credential),
    ...extensionsOf(row),
  }
}

/** OpenAPI has no parameter of several segments. */
const templateOf = (path: string) => path.replace('...}', '}')

/** The operation of a service that the gateway knows by its row alone. */
function bareOperationOf(row: CompiledRow, refer: Refer): ZodOpenApiOperationObject {
  return {
    summary: `${row.method} ${row.path}`,
    description: needs(row),
    ...describeRequest({ path: templateOf(row.path) }),
    responses: {
      ...refer(describeProblems(codesOfRow(row), common)),
      default: { description: 'What the service answers.' },
    },
    security: securityOf(row, undefined),
    ...extensionsOf(row),
  }
}

function securityOf(row: CompiledRow, credential: Endpoint['credential']) {
  const ofUsers = [
    { accessToken: [] },
    ...(row.keys ? [{ apiKey: [] }] : []),
    ...(row.signed_urls ? [{ urlToken: [] }] : []),
  ]
  if (row.who === 'user') return ofUsers
  if (row.who === 'optional') return [{}, ...ofUsers]
  return credential ? [{}, { [credential]: [] }] : []
}

/** The requirements of a row, in words. */
function needs({ permissions: { all, any } = {}, features, level }: CompiledRow): string {
  const quoted = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(', ')
  return [
    all && `Needs the permission ${quoted(all)}.`,
    any && `Needs one of the permissions ${quoted(any)}.`,
    level !== undefined && `Needs a role of level ${level} or above.`,
    features && `Needs a plan with the feature ${quoted(features)}.`,
  ]
    .filter(Boolean)
    .join(' ')
}

function extensionsOf({
  who,
  permissions,
  features,
  level,
  limits,
  deadline_seconds,
  body_bytes,
}: CompiledRow) {
  return {
    'x-who': who,
    ...(permissions && { 'x-permissions': permissions }),
    ...(features && { 'x-features': features }),
    ...(level !== undefined && { 'x-level': level }),
    'x-limits': limits.map(nameOfUse),
    'x-deadline-seconds': deadline_seconds,
    'x-body-bytes': body_bytes,
  }
}
