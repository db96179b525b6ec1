import { isNode, LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { describeSchemaFault, listSchemaFaults } from '../../shared/lib/schema-faults.ts'
import { compilePolicy, type Policy, PolicyRowError, type RouteRow, routeSchema } from './policy.ts'

/**
 * A policy file: rows that come to those of `routes.ts`, for services that a team puts behind the
 * gateway without touching code.
 */
export const policyFileSchema = z.strictObject({
  /** Where editors find the schema; it means nothing to the gateway. */
  $schema: z.string().optional(),
  routes: z.array(routeSchema),
})

/** Why a policy file is refused: each reason with the line it concerns, counted from 1. */
export class PolicyFileError extends Error {
  readonly reasons: readonly { line: number; reason: string }[]

  constructor(file: string, reasons: PolicyFileError['reasons']) {
    super(reasons.map(({ line, reason }) => `${file}:${line}: ${reason}`).join('\n'))
    this.name = 'PolicyFileError'
    this.reasons = reasons
  }
}

/** A row and where it stands. */
export interface PolicyFileRow {
  row: RouteRow
  line: number
}

/** An alias may repeat what it names, but not grow a small file into a huge table. */
const mostAliases = 100

/**
 * Reads a policy file in YAML, of which JSON is a part.
 *
 * @param file its name, for the reasons
 * @throws PolicyFileError
 */
export function parsePolicyFile(text: string, file: string): PolicyFileRow[] {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const syntax = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
    line: lines.linePos(pos[0]).line,
    reason: message,
  }))
  if (syntax.length > 0) throw new PolicyFileError(file, syntax)

  /** Of the innermost thing on the path that is there at all. */
  function lineOf(path: readonly PropertyKey[]): number {
    for (let depth = path.length; depth >= 0; depth--) {
      const node = document.getIn(path.slice(0, depth), true)
      if (isNode(node) && node.range) return lines.linePos(node.range[0]).line
    }
    return 1
  }

  const content = toContent(() => document.toJS({ maxAliasCount: mostAliases }), file)
  const parsed = policyFileSchema.safeParse(content)
  if (!parsed.success) {
    throw new PolicyFileError(
      file,
      listSchemaFaults(parsed.error).map((fault) => ({
        line: lineOf(fault.path),
        reason: describeSchemaFault(fault, 'the file'),
      })),
    )
  }
  return parsed.data.routes.map((row, index) => ({ row, line: lineOf(['routes', index]) }))
}

function toContent(read: () => unknown, file: string): unknown {
  try {
    return read()
  } catch (error) {
    // The one thing that yaml refuses this late is what its aliases make of the file.
    if (!(error instanceof ReferenceError)) throw error
    throw new PolicyFileError(file, [{ line: 1, reason: error.message }])
  }
}

export interface PolicyFile {
  name: string
  text: string
}

export interface CompiledPolicy {
  policy: Policy
  /** The rows that the file adds. */
  added: readonly PolicyFileRow[]
}

/**
 * The policy of the rows in code and those of a file together.
 *
 * @throws PolicyFileError for what is wrong in the file, PolicyRowError for what is wrong in the
 *   code
 */
export function compilePolicyWithFile(
  rows: readonly RouteRow[],
  file: PolicyFile | undefined,
  upstreams: readonly string[],
): CompiledPolicy {
  if (!file) return { policy: compilePolicy(rows, upstreams), added: [] }
  const added = parsePolicyFile(file.text, file.name)
  try {
    return { policy: compilePolicy([...rows, ...added.map(({ row }) => row)], upstreams), added }
  } catch (error) {
    const culprit = error instanceof PolicyRowError ? added[error.index - rows.length] : undefined
    if (!(error instanceof PolicyRowError && culprit)) throw error
    throw new PolicyFileError(file.name, [{ line: culprit.line, reason: error.message }])
  }
}

/**
 * A policy that another can take the place of between two requests: each is decided by one of them,
 * whole.
 */
export function createReplaceablePolicy(first: Policy): Policy & { replace(next: Policy): void } {
  let current = first
  return {
    match: (method, path) => current.match(method, path),
    methods: (path) => current.methods(path),
    replace(next) {
      current = next
    },
  }
}

/**
 * The JSON Schema (2020-12) of a policy file, for editors and checks outside; `policy.schema.json`
 * holds what this makes.
 */
export function policyFileJsonSchema(): object {
  return {
    ...z.toJSONSchema(policyFileSchema, { io: 'input' }),
    title: 'Gatehouse policy file',
  }
}
