import * as z from 'zod'

type Json = null | boolean | number | string | Json[] | { [member: string]: Json }
export type JsonObject = { [member: string]: Json }

/** The part of an upstream's OpenAPI document that is read. */
const documentSchema = z.object({
  openapi: z.string().regex(/^3\./, { error: 'must be OpenAPI 3' }),
  info: z.object({ title: z.string().max(200).optional() }).optional(),
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
  components: z.record(z.string(), z.record(z.string(), z.unknown())).optional(),
})

export type UpstreamDocument = z.output<typeof documentSchema>

/** @throws Error where the text is no OpenAPI document */
export const parseUpstreamDocument = (text: string): UpstreamDocument =>
  documentSchema.parse(JSON.parse(text))

/** Deepest nesting that is copied; real documents have about 30. */
const maxDepth = 100

const componentReference = /^#\/components\/(?<section>[A-Za-z]+)\/(?<name>[^/]+)$/

/** Members that would describe another server's rules, or lead away from the document. */
const leftOut = new Set(['security', 'servers', 'callbacks', 'webhooks'])

/**
 * Copies parts of an upstream's document. References lead to components with the upstream's name
 * before theirs, which are copied along; those that leave the document are dropped.
 */
export function createPartCopier(upstream: string, { components = {} }: UpstreamDocument) {
  const copied = new Map<string, { section: string; name: string; component: Json }>()

  function referTo(reference: Json): JsonObject {
    const { section = '', name = '' } =
      (typeof reference === 'string' ? componentReference.exec(reference)?.groups : undefined) ?? {}
    const found = Object.hasOwn(components, section) ? components[section] : undefined
    if (!found || section === 'securitySchemes' || !Object.hasOwn(found, name)) return {}
    const key = `${section}/${name}`
    if (!copied.has(key)) {
      copied.set(key, { section, name: `${upstream}.${name}`, component: null })
      const component = copy(found[name] as Json)
      copied.set(key, { section, name: `${upstream}.${name}`, component })
    }
    return { $ref: `#/components/${section}/${upstream}.${name}` }
  }

  /** @throws Error for a document that is nested too deeply */
  function copy(value: Json, depth = 0): Json {
    if (depth > maxDepth) throw new Error(`nested more than ${maxDepth} deep`)
    if (Array.isArray(value)) return value.map((item) => copy(item, depth + 1))
    if (typeof value !== 'object' || value === null) return value
    if (typeof value.$ref === 'string') return referTo(value.$ref)
    return Object.fromEntries(
      Object.entries(value)
        .filter(([name]) => !leftOut.has(name))
        .map(([name, member]) => [
          name,
          name === 'mapping' ? copyMapping(member) : copy(member as Json, depth + 1),
        ]),
    )
  }

  /** The values of a discriminator's mapping are references. */
  function copyMapping(mapping: Json | undefined): Json {
    if (typeof mapping !== 'object' || mapping === null || Array.isArray(mapping)) return {}
    return Object.fromEntries(
      Object.entries(mapping).flatMap(([value, reference]) => {
        const { $ref } = referTo(reference)
        return $ref === undefined ? [] : [[value, $ref]]
      }),
    )
  }

  return {
    copy: (value: unknown): JsonObject => copy(value as Json) as JsonObject,
    /** The components that the copied parts refer to. */
    components: () => [...copied.values()],
  }
}
