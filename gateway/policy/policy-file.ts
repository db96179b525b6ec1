import * as z from 'zod'
import { nearestName } from '../../shared/lib/nearest-name.ts'
import { describeSchemaFault, listSchemaFaults, type SchemaFault } from '../../shared/lib/schema-faults.ts'
import { readYaml, YamlError } from '../../shared/lib/yaml-source.ts'
import { listRowLimitFaults, type NamedLimits, namedLimitsSchema } from '../limits/limit-schema.ts'
import { compilePolicy, type Policy, type PolicyRow, PolicyRowError, policyRowSchema } from './policy.ts'

/**
 * A policy file: rows added to those of `routes.ts`, for services behind the gateway without code
 * changes.
 */
export const policyFileSchema = z.strictObject({
  /** Schema location for editors; ignored by the gateway. */
  $schema: z.string().optional(),
  /** Limits that rows may name, beside those that are built in. */
  limits: namedLimitsSchema.optional(),
  /** Paths of the OpenAPI documents of upstreams, for the API description. */
  openapi: z
    .record(
      z.string(),
      z.string().regex(/^\/[!-~]{0,2047}$/, { error: 'must be a path such as /openapi.json' }),
    )
    .optional(),
  routes: z.array(policyRowSchema),
})

/** Reasons why a policy file is rejected, each with its line, counted from 1. */
export class PolicyFileError extends Error {
  readonly reasons: readonly { line: number; reason: string }[]

  constructor(file: string, reasons: PolicyFileError['reasons']) {
    super(reasons.map(({ line, reason }) => `${file}:${line}: ${reason}`).join('\n'))
    this.name = 'PolicyFileError'
    this.reasons = reasons
  }
}

/** The schema of a file, and what one part of the file says about another. */
const checkedFileSchema = policyFileSchema.superRefine(({ limits = {}, routes }, context) => {
  for (const [row, route] of routes.entries())
    for (const { path, reason } of listRowLimitFaults(route, limits))
      context.addIssue({ code: 'custom', path: ['routes', row, ...path], message: reason })
})

/** A row, and its place in the file. */
export interface PolicyFileRow {
  row: PolicyRow
  line: number
  /** Line of a field, or that of the row where the field is missing. */
  lineOf: (field: keyof PolicyRow) => number
}

/** The content of a policy file. */
export interface ParsedPolicyFile {
  rows: PolicyFileRow[]
  limits: NamedLimits
  /** Paths of OpenAPI documents, by upstream. */
  openapi: Record<string, string>
  /** Line of a path of the file. */
  lineOf: (path: readonly PropertyKey[]) => number
}

/** The rows of a policy file. @throws PolicyFileError */
export const parsePolicyFile = (text: string, file: string): PolicyFileRow[] =>
  readPolicyFile(text, file).rows

/**
 * Reads a file in YAML, of which JSON is a part.
 *
 * @param file file name, for the reasons
 * @returns the content, and the line of a path in it
 * @throws PolicyFileError
 */
export function parseYaml<Schema extends z.ZodType>(text: string, file: string, schema: Schema) {
  const { content, positionOf } = readSource(text, file)
  const lineOf = (path: readonly PropertyKey[]) => positionOf(path).line
  const parsed = schema.safeParse(content)
  if (!parsed.success) {
    throw new PolicyFileError(
      file,
      listSchemaFaults(parsed.error).map((fault) => ({
        line: lineOf(fault.path),
        reason: describeSchemaFault(fault, 'the file') + allowedFields(fault),
      })),
    )
  }
  return { data: parsed.data, lineOf }
}

/**
 * Reads a policy file.
 *
 * @param file file name, for the reasons
 * @throws PolicyFileError
 */
export function readPolicyFile(text: string, file: string): ParsedPolicyFile {
  const { data, lineOf } = parseYaml(text, file, checkedFileSchema)
  const { routes, limits = {}, openapi = {} } = data
  const rows = routes.map(
    (row, index): PolicyFileRow => ({
      row,
      line: lineOf(['routes', index]),
      lineOf: (field) => lineOf(['routes', index, field]),
    }),
  )
  return { rows, limits, openapi, lineOf }
}

const rowFields = Object.keys(policyRowSchema.shape)

/** The fields that a row may have, behind the reason against one that it may not. */
function allowedFields({ path, isUnknownKey }: SchemaFault): string {
  if (!isUnknownKey || path[0] !== 'routes' || path.length !== 3) return ''
  return `; the nearest is ${nearestName(String(path[2]), rowFields)}, of ${rowFields.join(', ')}`
}

/** @throws PolicyFileError */
function readSource(text: string, file: string) {
  try {
    return readYaml(text)
  } catch (error) {
    if (!(error instanceof YamlError)) throw error
    throw new PolicyFileError(
      file,
      error.faults.map(({ line, reason }) => ({ line, reason })),
    )
  }
}

export interface PolicyFile {
  name: string
  text: string
}

export interface CompiledPolicy {
  policy: Policy
  /** Rows that the file adds. */
  added: readonly PolicyFileRow[]
}

/**
 * The policy of the rows in code and those of a file together.
 *
 * @throws PolicyFileError for errors in the file, PolicyRowError for errors in code
 */
export function compilePolicyWithFile(
  rows: readonly PolicyRow[],
  file: PolicyFile | undefined,
  upstreams: readonly string[],
  limitsInCode: NamedLimits = {},
): CompiledPolicy {
  if (!file) return { policy: compilePolicy(rows, upstreams, limitsInCode), added: [] }
  const { rows: added, limits: limitsOfFile, openapi, lineOf } = readPolicyFile(file.text, file.name)
  const limits = { ...limitsInCode, ...limitsOfFile }
  for (const name of Object.keys(openapi)) {
    if (upstreams.includes(name) && name !== 'origin') continue
    const known = upstreams.filter((each) => each !== 'origin').join(', ')
    const reason = `openapi: ${name} is no upstream: it must be one of ${known}`
    throw new PolicyFileError(file.name, [{ line: lineOf(['openapi', name]), reason }])
  }
  try {
    return { policy: compilePolicy([...rows, ...added.map(({ row }) => row)], upstreams, limits), added }
  } catch (error) {
    const culprit = error instanceof PolicyRowError ? added[error.index - rows.length] : undefined
    if (!(error instanceof PolicyRowError && culprit)) throw error
    const { field, otherIndex, message } = error
    const other = otherIndex === undefined ? '' : `; the other is ${placeOf(otherIndex)}`
    throw new PolicyFileError(file.name, [
      { line: culprit.lineOf(field), reason: `${field}: ${message}${other}` },
    ])
  }

  function placeOf(index: number): string {
    const line = added[index - rows.length]?.line
    return line === undefined ? 'built in (gateway/routes.ts)' : `in line ${line}`
  }
}

/**
 * A replaceable policy: each request is decided by one version of it.
 */
export function createReplaceablePolicy(first: Policy): Policy & { replace(next: Policy): void } {
  let current = first
  return {
    match: (method, path) => current.match(method, path),
    methods: (path) => current.methods(path),
    get limits() {
      return current.limits
    },
    replace(next) {
      current = next
    },
  }
}

/**
 * The JSON Schema (2020-12) of a policy file, for editors and checks outside; its output is
 * `policy.schema.json`.
 */
export function policyFileJsonSchema(): object {
  return {
    ...z.toJSONSchema(policyFileSchema, { io: 'input' }),
    title: 'Gatehouse policy file',
  }
}
