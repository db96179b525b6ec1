import { z } from 'zod'
import { createDocument, type ZodOpenApiOperationObject, type ZodOpenApiPathsObject } from 'zod-openapi'
import { isOptionalBody, jobNames } from '../../shared/contract.ts'
import { refreshCookie } from '../../shared/http/headers.ts'
import { type Route, type RouteRow, routeSchema } from '../policy/policy.ts'
import { codesOfContract, codesOfRow } from './codes.ts'
import { headers } from './headers.ts'
import type { OperationContract } from './operations/contract.ts'
import { createSubjects, ownSubject } from './operations/subjects.ts'
import { createSharedResponses, problemResponses, successes, withOAuthErrors } from './responses.ts'

interface DescriptionOptions {
  /** The rows in code: each has a contract. */
  rows: readonly RouteRow[]
  /** Those of a policy file: of them is known what the row says and no more. */
  fileRows?: readonly RouteRow[]
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
  refreshCookie: {
    type: 'apiKey',
    in: 'cookie',
    name: refreshCookie,
    description: 'In cookie mode: the refresh token, from a page whose origin is allowed.',
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
  version,
  product = 'Gatehouse',
  passwordMinLength = 8,
}: DescriptionOptions) {
  const subjects = createSubjects({ passwordMinLength })
  const contracts = new Map(
    subjects.flatMap(({ name, operations }) =>
      Object.entries(operations).map(([key, contract]) => [key, { tag: name, contract }] as const),
    ),
  )
  const { shared, refer } = createSharedResponses()
  const paths: ZodOpenApiPathsObject = {}
  const add = (method: string, path: string, operation: ZodOpenApiOperationObject) => {
    paths[path] = { ...paths[path], [method.toLowerCase()]: operation }
  }

  for (const row of rows) {
    const route = routeSchema.parse(row)
    const key = `${route.method} ${route.path}`
    const found = contracts.get(key)
    if (!found) throw new Error(`${key} has no contract in gateway/openapi/operations`)
    contracts.delete(key)
    add(route.method, route.path, { tags: [found.tag], ...operationOf(route, found.contract, refer) })
  }
  const [rowless] = contracts.keys()
  if (rowless) throw new Error(`${rowless} has a contract, but no row in gateway/routes.ts`)

  for (const row of fileRows) {
    const route = routeSchema.parse(row)
    add(route.method, route.path, { tags: [others.name], ...bareOperationOf(route, refer) })
  }
  for (const [key, { id, summary, responses }] of Object.entries(ownSubject.operations)) {
    const [method = '', path = ''] = key.split(' ')
    add(method, path, {
      tags: [ownSubject.name],
      operationId: id,
      summary,
      security: [],
      responses: successes(responses, { limited: false }),
    })
  }

  const tags = [...subjects, ...(fileRows.length > 0 ? [others] : []), ownSubject]
  return createDocument(
    {
      openapi: '3.1.1',
      info: { title: product, version, description: about, license: { name: 'MIT', identifier: 'MIT' } },
      servers: [{ url: '/' }],
      tags: tags.map(({ name, description }) => ({ name, description })),
      paths,
      components: { headers, responses: shared, securitySchemes },
    },
    { override: tidy },
  )
}

type Refer = ReturnType<typeof createSharedResponses>['refer']

function operationOf(route: Route, contract: OperationContract, refer: Refer): ZodOpenApiOperationObject {
  const { id, summary, description, body, form, query, responses, credential } = contract
  const parameters = { ...pathParameters(route), ...(query && { query: z.object(query) }) }
  const problems = problemResponses([...codesOfRow(route), ...codesOfContract(contract)])
  return {
    operationId: id,
    summary,
    description: [description, needs(route)].filter(Boolean).join('\n\n'),
    ...(Object.keys(parameters).length > 0 && { requestParams: parameters }),
    ...(body && {
      requestBody: { required: !isOptionalBody(body), content: { 'application/json': { schema: body } } },
    }),
    ...(form && {
      requestBody: { required: true, content: { 'application/x-www-form-urlencoded': { schema: form } } },
    }),
    responses: {
      ...successes(responses, { limited: true }),
      ...refer(credential === 'client' ? withOAuthErrors(problems) : problems),
    },
    security: securityOf(route, credential),
    ...extensionsOf(route),
  }
}

/** What can be said of a service that the gateway knows by its row alone. */
function bareOperationOf(route: Route, refer: Refer): ZodOpenApiOperationObject {
  return {
    summary: `${route.method} ${route.path}`,
    description: needs(route),
    ...(route.path.includes('{') && { requestParams: pathParameters(route) }),
    responses: {
      ...refer(problemResponses(codesOfRow(route))),
      default: { description: 'What the service answers.' },
    },
    security: securityOf(route, undefined),
    ...extensionsOf(route),
  }
}

/** Of the origin's rows: what another service calls an id is its own. */
const knownParameters: Record<string, z.ZodType> = {
  id: z.uuid(),
  session_id: z.uuid(),
  job: z.enum(jobNames),
}

function pathParameters({ path, upstream }: Route): { path?: z.ZodObject } {
  const names = [...path.matchAll(/\{([a-z_]+)\}/g)].map(([, name = '']) => name)
  if (names.length === 0) return {}
  const schemaOf = (name: string) => (upstream === 'origin' ? knownParameters[name] : undefined) ?? z.string()
  return { path: z.object(Object.fromEntries(names.map((name) => [name, schemaOf(name)]))) }
}

function securityOf(route: Route, credential: OperationContract['credential']) {
  if (route.who === 'user') return [{ accessToken: [] }]
  return credential ? [{}, { [credential]: [] }] : []
}

/** What a row asks of a caller, in words. */
function needs({ permissions: { all, any } = {}, features, level }: Route): string {
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

function extensionsOf({ permissions, features, level, limits, deadline_seconds, body_bytes }: Route) {
  return {
    ...(permissions && { 'x-permissions': permissions }),
    ...(features && { 'x-features': features }),
    ...(level !== undefined && { 'x-level': level }),
    'x-limits': limits,
    'x-deadline-seconds': deadline_seconds,
    'x-body-bytes': body_bytes,
  }
}

/** Formats of which the services take a part, which the pattern says. */
const narrowed: ReadonlySet<string> = new Set(['email', 'date-time'])

/** zod's way of making a schema, put right in three points. */
function tidy({ jsonSchema, io }: { jsonSchema: { [key: string]: unknown }; io: 'input' | 'output' }) {
  // A format says it all; its pattern would repeat it in some hundred characters. Not so where less
  // is taken.
  if (typeof jsonSchema.format === 'string' && !(io === 'input' && narrowed.has(jsonSchema.format)))
    delete jsonSchema.pattern
  // An integer of JavaScript is one that a double can hold, which the other end need not be told.
  if (jsonSchema.minimum === Number.MIN_SAFE_INTEGER) delete jsonSchema.minimum
  if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum
  // A response may get members later on: a client must not refuse those it does not know.
  if (io === 'output' && jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties
}
