import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import type { describeApi } from '../../../gateway/openapi/document.ts'

export type Description = ReturnType<typeof describeApi>

/**
 * Holds responses against an OpenAPI description as a client would that was generated from it, only
 * that no member may go unmentioned.
 */
export function createOpenApiValidator(document: Description) {
  const description = closed(document) as Description
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema({ $id: 'api', ...description })

  /** The operation's answers, by status. */
  function responsesOf(method: string, path: string): Record<string, { $ref?: string }> {
    const responses = description.paths?.[path]?.[method.toLowerCase() as 'get']?.responses
    if (!responses) throw new Error(`${method} ${path} is not described`)
    return responses
  }

  return {
    /**
     * @param path as the policy table has it
     * @returns what of the answer is not as described; empty where all is
     */
    async faults(method: string, path: string, response: Response): Promise<string[]> {
      const contract = responsesOf(method, path)[response.status]
      if (!contract) return [`status ${response.status}: ${await response.text()}`]
      const [, , , sharedName] = contract.$ref?.split('/') ?? []
      const at = sharedName
        ? ['components', 'responses', sharedName]
        : ['paths', path, method.toLowerCase(), 'responses', `${response.status}`]
      const { headers = {}, content } = nodeAt(description, at)
      const undescribed = toldHeaders.filter((name) => response.headers.has(name) && !(name in headers))
      const missing = promisedHeaders(response.status).filter(
        (name) => name in headers && !response.headers.has(name),
      )
      return [
        ...undescribed.map((name) => `header ${name} is not described`),
        ...missing.map((name) => `header ${name} is missing`),
        ...(await bodyFaults(at, content, response)),
      ]
    },
  }

  async function bodyFaults(
    at: string[],
    content: Record<string, unknown> | undefined,
    response: Response,
  ): Promise<string[]> {
    const text = await response.text()
    if (!content) return text === '' ? [] : [`a body that is not described: ${text}`]
    const mediaType = response.headers.get('content-type')?.split(';')[0] ?? 'none'
    if (!content[mediaType]) return [`media type ${mediaType}`]
    const pointer = [...at, 'content', mediaType, 'schema'].map(escapeForPointer).join('/')
    const isValid = ajv.compile({ $ref: `api#/${pointer}` })
    if (isValid(JSON.parse(text))) return []
    return [`${ajv.errorsText(isValid.errors)} in ${text}`]
  }
}

/** Those of an answer that say something about the request; the others are the same on all. */
const toldHeaders = ['Link', 'RateLimit', 'RateLimit-Policy', 'Retry-After', 'Set-Cookie', 'WWW-Authenticate']

/** Headers that are always present where they are described. */
function promisedHeaders(status: number): string[] {
  const ofLimits = status < 400 || status === 429 ? ['RateLimit', 'RateLimit-Policy'] : []
  return ['X-Request-Id', 'Retry-After', ...ofLimits]
}

function nodeAt(root: object, path: readonly string[]) {
  const step = (node: unknown, key: string) => (node as Record<string, unknown>)[key]
  return path.reduce(step, root) as { content?: Record<string, unknown>; headers?: Record<string, unknown> }
}

const escapeForPointer = (key: string) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'))

/** An object schema that lists its members allows no others here. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed)
  if (typeof node !== 'object' || node === null) return node
  const copy = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, closed(value)]))
  const isOpenObject = copy.type === 'object' && copy.properties && copy.additionalProperties === undefined
  return isOpenObject ? { ...copy, additionalProperties: false } : copy
}
