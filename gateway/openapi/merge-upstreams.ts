import { createPathMatcher } from '../policy/path-matcher.ts'
import { type CompiledRow, compileRow, type PolicyRow } from '../policy/policy.ts'
import { shapeOf } from '../policy/row-path.ts'
import { type FrontPath, frontPathOf } from './front-path.ts'
import { createPartCopier, type JsonObject, type UpstreamDocument } from './upstream-document.ts'

/** The description that is merged into, of which only these members change. */
export interface MergedDescription {
  paths?: Record<string, Record<string, unknown>>
  components?: Record<string, Record<string, unknown>>
  tags?: { name: string; description?: string }[]
}

interface MergeOptions {
  description: MergedDescription
  rows: readonly PolicyRow[]
  fileRows: readonly PolicyRow[]
  /** By the upstream's name in the policy table. */
  documents: ReadonlyMap<string, UpstreamDocument>
}

interface Parameter extends JsonObject {
  name: string
  in: string
}

/**
 * Adds the operations of upstreams to the description of the gateway, as far as a row leads to
 * them: with the path, the callers and the rejections of that row. An operation without a row stays
 * unknown.
 */
export function mergeUpstreams({ description, rows, fileRows, documents }: MergeOptions): void {
  const ofFile = fileRows.flatMap(compileRow)
  const findRow = createRowFinder([...rows.flatMap(compileRow), ...ofFile])
  for (const [upstream, document] of documents)
    mergeUpstream(description, findRow, ofFile, upstream, document)
}

type FindRow = (method: string, path: string) => CompiledRow | undefined

function createRowFinder(rows: readonly CompiledRow[]): FindRow {
  const matcher = createPathMatcher<Map<string, CompiledRow>>()
  for (const [, ofPath] of Map.groupBy(rows, ({ path }) => shapeOf(path)))
    matcher.add((ofPath[0] as CompiledRow).path, new Map(ofPath.map((row) => [row.method, row])))
  return (method, path) => matcher.find(path)?.get(method)
}

function mergeUpstream(
  description: MergedDescription,
  findRow: FindRow,
  rows: readonly CompiledRow[],
  upstream: string,
  document: UpstreamDocument,
): void {
  const { paths = {}, components = {}, tags = [] } = description
  const copier = createPartCopier(upstream, document)
  let isUsed = false
  for (const row of rows.filter((each) => each.upstream === upstream)) {
    for (const [template, item] of Object.entries(document.paths)) {
      const given = item[row.method.toLowerCase()]
      const front = frontPathOf(row.path, row.rewrite ?? row.path, template)
      if (!isObject(given) || !front || !isServedBy(findRow, row, front)) continue
      const own = paths[row.path.replace('...}', '}')]?.[row.method.toLowerCase()]
      const operation = operationOf(copier.copy({ ...given, ...parametersOf(item, given) }), front, upstream)
      const { responses = {}, ...rest } = own as { responses?: object }
      const merged = { ...operation, responses: { ...responses, ...(operation.responses as object) } }
      paths[front.template] = {
        ...paths[front.template],
        [row.method.toLowerCase()]: {
          ...merged,
          ...securityOf(rest),
          description: [operation.description, (rest as JsonObject).description].filter(Boolean).join('\n\n'),
          tags: [upstream],
        },
      }
      isUsed = true
    }
  }
  for (const { section, name, component } of copier.components())
    components[section] = { ...components[section], [name]: component }
  description.components = components
  if (isUsed) description.tags = [...tags, { name: upstream, description: document.info?.title ?? upstream }]
}

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The row's part of an operation: its security, and the members of its own. */
const securityOf = (own: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(own).filter(([name]) => name === 'security' || name.startsWith('x-')))

/** Parameters of the whole path hold for each of its operations. */
const parametersOf = (item: Record<string, unknown>, given: JsonObject) => ({
  parameters: [item.parameters, given.parameters].flatMap((list) => (Array.isArray(list) ? list : [])),
})

function operationOf(copied: JsonObject, { renamed }: FrontPath, upstream: string): JsonObject {
  const { operationId, parameters = [], ...rest } = copied
  const given = (parameters as Parameter[]).map((parameter) =>
    parameter.in === 'path'
      ? { ...parameter, name: renamed.get(parameter.name) ?? parameter.name }
      : parameter,
  )
  return {
    ...rest,
    ...(given.length > 0 && { parameters: given }),
    ...(typeof operationId === 'string' && { operationId: `${upstream}.${operationId}` }),
  }
}

/** Whether a request to this path is one of the row, and not of a row that wins over it. */
const isServedBy = (findRow: FindRow, row: CompiledRow, { template }: FrontPath): boolean =>
  findRow(row.method, template.replaceAll(/\{[^{}]+\}/g, 'example')) === row
