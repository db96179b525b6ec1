import * as z from 'zod'
import type { ZodOpenApiOperationObject } from 'zod-openapi'
import { type Endpoint, isOptionalBody, parameterNames } from '../endpoint/endpoint.ts'

type Request = { path: string } & Pick<Endpoint, 'params' | 'query' | 'body' | 'form'>

/** Input of an operation: parameters of path and query, and a body. */
export function describeRequest({
  path,
  params = {},
  query,
  body,
  form,
}: Request): Pick<ZodOpenApiOperationObject, 'requestParams' | 'requestBody'> {
  const names = parameterNames(path)
  const pathShape = Object.fromEntries(names.map((name) => [name, params[name] ?? z.string()]))
  const requestParams = {
    ...(names.length > 0 && { path: z.object(pathShape) }),
    ...(query && { query: z.object(query) }),
  }
  return {
    ...(Object.keys(requestParams).length > 0 && { requestParams }),
    ...(body && {
      requestBody: { required: !isOptionalBody(body), content: { 'application/json': { schema: body } } },
    }),
    ...(form && {
      requestBody: { required: true, content: { 'application/x-www-form-urlencoded': { schema: form } } },
    }),
  }
}
