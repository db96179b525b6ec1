import { expect } from 'vitest'
import {
  type ApiRequest,
  type ApiResponse,
  createApiClient,
  successBody,
} from '../../../shared/endpoint/api-client.ts'
import {
  type Endpoint,
  type Endpoints,
  type ResponseBody,
  successOf,
} from '../../../shared/endpoint/endpoint.ts'
import { createOpenApiValidator, type Description } from './openapi-validator.ts'

/**
 * Calls endpoints by their operation ids, and holds each response against their description.
 *
 * @param send the service that is called, by its path
 */
export function createOpenApiCalls<const Declared extends Endpoints>(
  endpoints: Declared,
  description: Description,
  send: (path: string, init: RequestInit) => Response | Promise<Response>,
) {
  const openApiValidator = createOpenApiValidator(description)
  const succeeded = new Set<string>()

  async function ask<Id extends keyof Declared & string>(
    status: number,
    id: Id,
    request: ApiRequest<Declared[Id]>,
  ): Promise<ApiResponse<Declared[Id]>> {
    const endpoint: Endpoint = endpoints[id] as Declared[Id]
    const client = createApiClient(
      { call: endpoint },
      {
        baseUrl: '',
        async fetch(path, init) {
          const response = await send(path, init)
          const text = response.status === 204 ? null : await response.clone().text()
          expect({ status: response.status, text }).toMatchObject({ status })
          expect(await openApiValidator.faults(endpoint.method, endpoint.path, response.clone())).toEqual([])
          if (response.ok) succeeded.add(id)
          return response
        },
      },
    )
    return (await client.call(request as ApiRequest<Endpoint>)) as ApiResponse<Declared[Id]>
  }

  return {
    /** @returns the body of the success that the contract has */
    async succeed<Id extends keyof Declared & string>(
      id: Id,
      request: ApiRequest<Declared[Id]>,
    ): Promise<ResponseBody<Declared[Id]>> {
      const [status] = successOf(endpoints[id] as Declared[Id])
      return successBody(await ask(status, id, request))
    },

    /** Expects an error of this status. */
    async fail<Id extends keyof Declared & string>(
      status: number,
      id: Id,
      request: ApiRequest<Declared[Id]>,
    ): Promise<void> {
      await ask(status, id, request)
    },

    /** Endpoints that did not succeed yet. */
    untried: (): string[] => Object.keys(endpoints).filter((id) => !succeeded.has(id)),
  }
}
