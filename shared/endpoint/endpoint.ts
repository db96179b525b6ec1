import type { z } from 'zod'
import type { ErrorCode } from '../http/errors.ts'

/**
 * The contract of one method of one path. The origin's route and its validation, the OpenAPI
 * documents and the typed client are made of it; who may call it is a row of the policy table.
 */
export interface Endpoint {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With parameters in braces, as OpenAPI and the policy table have them. */
  path: `/${string}`
  summary: string
  description?: string
  /** Path parameters that are more than any text, by name. A value that does not fit is 404. */
  params?: z.ZodRawShape
  query?: z.ZodRawShape
  /** A JSON body. */
  body?: z.ZodType
  /** A form (application/x-www-form-urlencoded), where OAuth asks for one. */
  form?: z.ZodType
  /** By status: one 2xx, and statuses of the same body beside it. Errors are in `errors`. */
  responses: Partial<Record<SuccessStatus | 503, EndpointResponse>>
  /** Codes beside those that follow from the policy row, the body and the query. */
  errors?: readonly ErrorCode[]
  /**
   * Proof of the caller beside an access token: the refresh token's cookie, or the credentials of
   * an OAuth client.
   */
  credential?: 'refreshCookie' | 'client'
  /** The scope that the token of a service needs, under `/internal`. */
  scope?: string
}

type SuccessStatus = 200 | 202 | 204

interface EndpointResponse {
  description: string
  /** Without one the response has no body. */
  schema?: z.ZodType
  /** @default 'application/json' */
  mediaType?: string
  headers?: readonly HeaderName[]
}

/** Response headers that the OpenAPI documents describe. */
export type HeaderName =
  | 'Link'
  | 'RateLimit'
  | 'RateLimit-Policy'
  | 'Retry-After'
  | 'Set-Cookie'
  | 'WWW-Authenticate'
  | 'X-Request-Id'

/** By operation id, which names an endpoint in clients. */
export type Endpoints = Readonly<Record<string, Endpoint>>

/** Endpoints of one subject: a tag of the OpenAPI document. */
export interface EndpointGroup<Declared extends Endpoints = Endpoints> {
  name: string
  description: string
  endpoints: Declared
}

/** The endpoints of a group, as a union. */
export type EndpointsOf<Group extends EndpointGroup> =
  Group extends EndpointGroup<infer Declared> ? Declared[keyof Declared] : never

type Intersection<Union> = (Union extends unknown ? (member: Union) => void : never) extends (
  all: infer All,
) => void
  ? All
  : never

/** The endpoints of several groups, by operation id. */
export const mergeEndpoints = <const Groups extends readonly EndpointGroup[]>(groups: Groups) =>
  Object.assign({}, ...groups.map(({ endpoints }) => endpoints)) as Intersection<Groups[number]['endpoints']>

/** Declares endpoints; methods, paths and schemas keep their literal types. */
export const defineEndpoints = <const Declared extends Endpoints>(endpoints: Declared): Declared => endpoints

/** As `defineEndpoints`, for those of one group. */
export const defineEndpointGroup = <const Declared extends Endpoints>(
  group: EndpointGroup<Declared>,
): EndpointGroup<Declared> => group

/** `METHOD /path`, as tables name an endpoint. */
export type EndpointKey<E extends Endpoint> = E extends Endpoint ? `${E['method']} ${E['path']}` : never

export const endpointKey = ({ method, path }: { method: string; path: string }) => `${method} ${path}`

/** The names of a path's parameters, in its order. */
export const parameterNames = (path: string): string[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)

export type ParameterName<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | ParameterName<Rest>
  : never

type ShapeOf<E extends Endpoint, Part extends 'params' | 'query'> =
  E extends Record<Part, infer Shape extends z.ZodRawShape> ? Shape : Record<never, z.ZodType>

/** Validated input of a handler, with defaults and transforms applied. */
export interface EndpointInput<E extends Endpoint> {
  params: Omit<Record<ParameterName<E['path']>, string>, keyof ShapeOf<E, 'params'>> &
    z.output<z.ZodObject<ShapeOf<E, 'params'>>>
  query: z.output<z.ZodObject<ShapeOf<E, 'query'>>>
  body: E extends { body: infer Body extends z.ZodType } ? z.output<Body> : undefined
}

type SuccessOf<E extends Endpoint> = E['responses'][Extract<keyof E['responses'], SuccessStatus>]

/** The body of a success; undefined where it has none. */
export type ResponseBody<E extends Endpoint> =
  SuccessOf<E> extends { schema: infer Body extends z.ZodType } ? z.output<Body> : undefined

/** The status of success, and its response. */
export function successOf({ responses }: Pick<Endpoint, 'responses'>): [SuccessStatus, EndpointResponse] {
  const [status] = ([200, 202, 204] as const).filter((candidate) => responses[candidate])
  const response = status && responses[status]
  if (!response) throw new Error('an endpoint needs a response of success')
  return [status, response]
}

/** Whether a body may be left out: one that asks for no member says the same without. */
export const isOptionalBody = (schema: z.ZodType): boolean => schema.safeParse({}).success

/** Success with a JSON body. */
export const ok = <Body extends z.ZodType>(description: string, schema: Body) =>
  ({ 200: { description, schema } }) as const

/** Success without a body. */
export const noContent = (description: string) => ({ 204: { description } }) as const
