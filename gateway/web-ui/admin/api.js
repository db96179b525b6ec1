/**
 * Calls of the API by `METHOD /path`. A browser cannot import the contracts; their types check
 * paths, parameters, bodies and responses.
 */

/** @import { PublicEndpoint, PublicEndpointKey } from '../../../shared/contract.ts' */
/** @import { PublicResponses } from '../../../shared/contract.ts' */
/** @import { ApiRequest } from '../../../shared/endpoint/api-client.ts' */
/** @import { Session } from '../session.js' */

/** @typedef {ReturnType<typeof createApi>} Api */

/** @param {Session['call']} call */
export function createApi(call) {
  /**
   * @template {PublicEndpointKey} Key
   * @param {Key} key
   * @param {Omit<ApiRequest<PublicEndpoint<Key>>, 'form' | 'headers' | 'signal'>} request
   * @returns {Promise<PublicResponses[Key]>}
   */
  return async function api(key, request) {
    const { params, query, body } = /** @type {AnyRequest} */ (request)
    const [method = '', path = ''] = key.split(' ')
    const response = await call(urlOf(path, params, query), { method, body })
    return response.status === 204 ? /** @type {never} */ (undefined) : response.json()
  }
}

/**
 * @typedef {object} AnyRequest
 * @property {Record<string, string>} [params]
 * @property {Record<string, string> | URLSearchParams} [query]
 * @property {unknown} [body]
 */

/**
 * @param {string} path with parameters in braces
 * @param {Record<string, string>} [params]
 * @param {Record<string, string> | URLSearchParams} [query]
 */
export function urlOf(path, params = {}, query = {}) {
  const filled = path.replaceAll(/\{([a-z_]+)\}/g, (_, name) => encodeURIComponent(params[name] ?? ''))
  const search = new URLSearchParams(query).toString()
  return search ? `${filled}?${search}` : filled
}
