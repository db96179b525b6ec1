import { localPaths } from '../../gateway/local-paths.ts'
import { type CompiledRow, compileRow, type Policy } from '../../gateway/policy/policy.ts'
import { compilePolicyWithFile, type PolicyFile } from '../../gateway/policy/policy-file.ts'
import { type KnownNames, requireKnownNamesInFile } from '../../gateway/policy/policy-names.ts'
import { type PathSegment, parsePath } from '../../gateway/policy/row-path.ts'
import { routes } from '../../gateway/routes.ts'
import { Problem } from '../../shared/http/errors.ts'

/** Pages of the gateway, which it serves before it looks at the policy. */
const pagePaths = ['/docs', '/admin', '/openapi.json']
const pageFolder = '/pages/'

export interface Finding {
  line: number
  text: string
}

interface CheckOptions {
  file: PolicyFile
  upstreams: readonly string[]
  /** Names that the origin has; undefined to compare none. */
  names: KnownNames | undefined
}

interface PlacedRow {
  row: CompiledRow
  /** undefined for a row in code. */
  line: number | undefined
}

/**
 * Checks a policy file as a gateway does when it starts, and looks for rows that others shadow.
 *
 * @returns warnings
 * @throws PolicyFileError with each error
 */
export function checkPolicy({ file, upstreams, names }: CheckOptions): Finding[] {
  const { policy, added } = compilePolicyWithFile(routes, file, ['origin', ...upstreams])
  if (names) requireKnownNamesInFile(file.name, added, names)
  const rows: PlacedRow[] = [
    ...routes.flatMap(compileRow).map((row) => ({ row, line: undefined })),
    ...added.flatMap(({ row, line }) => compileRow(row).map((compiled) => ({ row: compiled, line }))),
  ]
  const found = rows.flatMap((shadowed) => [
    ...shadowedByGateway(shadowed),
    ...rows.flatMap((other) => shadowedByRow(policy, shadowed, other)),
  ])
  return [...new Map(found.map((finding) => [finding.text, finding])).values()].sort(
    (a, b) => a.line - b.line,
  )
}

function shadowedByGateway({ row: { path }, line }: PlacedRow): Finding[] {
  const isLocal = localPaths.has(path) || pagePaths.includes(path) || path.startsWith(pageFolder)
  if (line === undefined || !isLocal) return []
  return [{ line, text: `${path} is a path of the gateway itself, which answers it before its rows` }]
}

/** Whether the row of another path takes a path of this one, without having its method. */
function shadowedByRow(policy: Policy, { row, line }: PlacedRow, other: PlacedRow): Finding[] {
  const at = line ?? other.line
  const example = commonPath(parsePath(row.path), parsePath(other.row.path))
  if (at === undefined || example === undefined || !isRejected(policy, row.method, example)) return []
  const methods = policy.methods(example)
  const winner = policy.match(methods[0] as string, example)
  return [
    {
      line: at,
      text: `${row.method} ${example} is 405, although ${row.method} ${row.path} matches it: the row of ${winner.path} wins, and has ${methods.join(', ')} alone`,
    },
  ]
}

function isRejected(policy: Policy, method: string, path: string): boolean {
  try {
    policy.match(method, path)
    return false
  } catch (error) {
    if (error instanceof Problem && error.code === 'method_not_allowed') return true
    throw error
  }
}

/** A path that both patterns match, where there is one. */
function commonPath(first: readonly PathSegment[], second: readonly PathSegment[]): string | undefined {
  const count = Math.max(first.length, second.length)
  if ([first, second].some((segments) => segments.length < count && segments.at(-1)?.kind !== 'rest'))
    return undefined
  let path = ''
  for (let i = 0; i < count; i++) {
    const literals = [first, second].flatMap((segments) => {
      const segment = segments[i]
      return segment?.kind === 'literal' ? [segment.text] : []
    })
    if (new Set(literals).size > 1) return undefined
    path += `/${literals[0] ?? 'example'}`
  }
  return path
}
