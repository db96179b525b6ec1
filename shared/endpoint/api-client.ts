import type { z } from 'zod'
import type { ErrorCode } from '../http/errors.ts'
import {
  type Endpoint,
  type Endpoints,
  type ParameterName,
  type ResponseBody,
  successOf,
} from './endpoint.ts'

interface ApiClientOptions {
  /** Where the API is, without a slash at the end. */
  baseUrl: string
  /** @default the runtime's own */
  fetch?: (url: string, init: RequestInit) => Response | Promise<Response>
  /** Sent with every request. */
  headers?: Readonly<Record<string, string>>
}

/** A member that may be left out where nothing in it is required. */
type Member<Name extends string, Value> = [keyof Value] extends [never]
  ? unknown
  : Record<never, never> extends Value
    ? { [N in Name]?: Value }
    : { [N in Name]: Value }

type Params<E extends Endpoint> = {
  [Name in ParameterName<E['path']>]: E extends { params: Record<Name, infer Schema extends z.ZodType> }
    ? z.input<Schema>
    : string
}

type Query<E extends Endpoint> = E extends { query: infer Shape extends z.ZodRawShape }
  ? z.input<z.ZodObject<Shape>>
  : Record<never, never>

type Input<E extends Endpoint, Part extends 'body' | 'form'> =
  E extends Record<Part, infer Schema extends z.ZodType> ? z.input<Schema> : Record<never, never>

/** Parts of a request. */
export type ApiRequest<E extends Endpoint> = Member<'params', Params<E>> &
  Member<'query', Query<E>> &
  Member<'body', Input<E, 'body'>> &
  Member<'form', Input<E, 'form'>> & { headers?: Readonly<Record<string, string>>; signal?: AbortSignal }

/** The members that each problem has (RFC 9457); others follow from its code. */
interface ProblemBody {
  type: string
  title: string
  status: number
  code: ErrorCode
  request_id: string
  [member: string]: unknown
}

interface ApiSuccess<E extends Endpoint> {
  ok: true
  status: number
  headers: Headers
  body: ResponseBody<E>
}

interface ApiFailure {
  ok: false
  status: number
  headers: Headers
  /** null where the response is no problem+json, as from a proxy on the way. */
  problem: ProblemBody | null
}

export type ApiResponse<E extends Endpoint> = ApiSuccess<E> | ApiFailure

type Call<E extends Endpoint> = (
  ...request: Record<never, never> extends ApiRequest<E>
    ? [request?: ApiRequest<E>]
    : [request: ApiRequest<E>]
) => Promise<ApiResponse<E>>

export type ApiClient<Declared extends Endpoints> = { [Id in keyof Declared]: Call<Declared[Id]> }

/**
 * A function for each endpoint, by its operation id. Bodies of success are validated: members that
 * the contract does not name are dropped.
 */
export function createApiClient<const Declared extends Endpoints>(
  endpoints: Declared,
  { baseUrl, fetch = globalThis.fetch, headers = {} }: ApiClientOptions,
): ApiClient<Declared> {
  async function call(endpoint: Endpoint, request: AnyRequest = {}): Promise<ApiResponse<Endpoint>> {
    const { path, ...init } = requestOf(endpoint, request)
    const response = await fetch(baseUrl + path, { ...init, headers: { ...headers, ...init.headers } })
    return readResponse(endpoint, response)
  }
  const calls = Object.entries(endpoints).map(([id, endpoint]) => [
    id,
    (request?: AnyRequest) => call(endpoint, request),
  ])
  return Object.fromEntries(calls) as ApiClient<Declared>
}

interface AnyRequest {
  params?: Record<string, string>
  query?: Record<string, unknown>
  body?: unknown
  form?: Record<string, string | undefined>
  headers?: Readonly<Record<string, string>>
  signal?: AbortSignal
}

function requestOf(endpoint: Endpoint, { params = {}, query = {}, form, body, headers, signal }: AnyRequest) {
  const path = endpoint.path.replaceAll(/\{([a-z_]+)\}/g, (_, name: string) =>
    encodeURIComponent(params[name] ?? ''),
  )
  const search = searchOf(query)
  return {
    path: search ? `${path}?${search}` : path,
    method: endpoint.method,
    headers: {
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...(form && { 'content-type': 'application/x-www-form-urlencoded' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
    ...(form && { body: searchOf(form) }),
    ...(signal && { signal }),
  }
}

/** Without the values that are undefined. */
function searchOf(values: Record<string, unknown>): string {
  const given = Object.entries(values).filter(([, value]) => value !== undefined)
  return new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString()
}

async function readResponse(endpoint: Endpoint, response: Response): Promise<ApiResponse<Endpoint>> {
  const { ok, status, headers } = response
  if (!ok) return { ok, status, headers, problem: await readProblem(response) }
  const [, { schema }] = successOf(endpoint)
  if (!schema) await response.body?.cancel()
  const body = schema?.parse(await response.json())
  return { ok, status, headers, body: body as undefined }
}

async function readProblem(response: Response): Promise<ProblemBody | null> {
  const isProblem = response.headers.get('content-type')?.startsWith('application/problem+json')
  if (isProblem) return (await response.json()) as ProblemBody
  await response.body?.cancel()
  return null
}

/** A response that is no success, where a success was needed. */
export class ResponseError extends Error {
  readonly status: number
  readonly problem: ProblemBody | null

  constructor({ status, problem }: ApiFailure) {
    super(problem ? `${status} ${problem.code}: ${problem.title}` : `status ${status}`)
    this.name = 'ResponseError'
    this.status = status
    this.problem = problem
  }
}

/** @throws ResponseError where the response is no success */
export function successBody<E extends Endpoint>(response: ApiResponse<E>): ResponseBody<E> {
  if (!response.ok) throw new ResponseError(response)
  return response.body
}
