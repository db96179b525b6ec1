import { Document } from 'yaml'
import * as z from 'zod'
import { rewritePattern, rowPathPattern } from '../../gateway/policy/row-path.ts'

const security = z.array(z.record(z.string(), z.unknown()))

/** The part of an OpenAPI document (3.0 and 3.1) that rows are made of. */
export const openApiSchema = z.object({
  openapi: z.string().regex(/^3\./, { error: 'must be OpenAPI 3' }),
  servers: z.array(z.object({ url: z.string() })).optional(),
  security: security.optional(),
  paths: z.record(z.string(), z.record(z.string(), z.unknown())),
})

const operationSchema = z.object({ security: security.optional() })

const methods = ['get', 'post', 'put', 'patch', 'delete'] as const

type Who = 'public' | 'optional' | 'user'

interface RowsOptions {
  upstream: string
  /** Put before each path; the row then rewrites it to the path of the document. */
  prefix: string
}

interface WrittenRow {
  method: string | string[]
  path: string
  rewrite?: string
  upstream: string
  who: Who
  limits: string[]
}

/** An operation without security is public; with an empty one among several it is optional. */
function whoOf(requirements: z.output<typeof security> = []): Who {
  if (requirements.length === 0) return 'public'
  return requirements.some((requirement) => Object.keys(requirement).length === 0) ? 'optional' : 'user'
}

const limitsOf: Record<Who, string[]> = {
  public: ['address'],
  optional: ['address', 'user'],
  user: ['user'],
}

/** The path below which the service has its paths. */
function basePathOf(servers: readonly { url: string }[] = []): string {
  const [server] = servers
  if (!server) return ''
  return new URL(server.url, 'http://service').pathname.replace(/\/$/, '')
}

/**
 * Writes the rows of a policy file for the operations of an OpenAPI document.
 *
 * @returns the file, and paths that no row can have
 */
export function rowsFromOpenApi(
  { paths, servers, security: byDefault }: z.output<typeof openApiSchema>,
  { upstream, prefix }: RowsOptions,
) {
  const basePath = basePathOf(servers)
  const rows: WrittenRow[] = []
  const left: string[] = []
  for (const [template, item] of Object.entries(paths)) {
    const servicePath = basePath + template
    const path = prefix + servicePath
    if (!rowPathPattern.test(path) || !rewritePattern.test(servicePath)) {
      left.push(template)
      continue
    }
    rows.push(
      ...rowsOfPath(item, byDefault, (method, who) => ({
        method,
        path,
        ...(prefix !== '' && { rewrite: servicePath }),
        upstream,
        who,
        limits: limitsOf[who],
      })),
    )
  }
  return { yaml: toYaml(rows), left }
}

/** One row for the operations of a path that the same callers may use. */
function rowsOfPath(
  item: Record<string, unknown>,
  byDefault: z.output<typeof security> | undefined,
  toRow: (method: string | string[], who: Who) => WrittenRow,
): WrittenRow[] {
  const byWho = new Map<Who, string[]>()
  for (const method of methods) {
    if (item[method] === undefined) continue
    const operation = operationSchema.safeParse(item[method])
    const who = whoOf((operation.success ? operation.data.security : undefined) ?? byDefault)
    byWho.set(who, [...(byWho.get(who) ?? []), method.toUpperCase()])
  }
  return [...byWho].map(([who, names]) => toRow(names.length === 1 ? (names[0] as string) : names, who))
}

function toYaml(routes: readonly WrittenRow[]): string {
  const document = new Document({ routes }, { aliasDuplicateObjects: false })
  return document.toString({ lineWidth: 0, flowCollectionPadding: false })
}
