import type { ExplainedStep } from '../../gateway/decision/decide.ts'
import type { DecisionContext } from '../../gateway/decision/decision-context.ts'
import { nameOfUse } from '../../gateway/limits/limit-schema.ts'
import type { CompiledRow } from '../../gateway/policy/policy.ts'
import type { PolicyFile, PolicyFileRow } from '../../gateway/policy/policy-file.ts'

/** The place of a row: its line, or the table in code. */
export function placeOf(row: CompiledRow, file: PolicyFile, added: readonly PolicyFileRow[]): string {
  const found = added.find(
    ({ row: { path, method } }) =>
      path === row.path && (method === '*' || [method].flat().includes(row.method)),
  )
  return found ? `${file.name}:${found.line}` : 'gateway/routes.ts'
}

const list = (names: readonly string[]) => names.join(', ')

/** The requirements of a row on its callers. */
export function requirementsOf({
  permissions: { all, any } = {},
  features,
  level,
  acr,
  max_age_seconds: maxAge,
}: CompiledRow): string {
  const parts = [
    all && `all permissions of ${list(all)}`,
    any && `one permission of ${list(any)}`,
    features && `all features of ${list(features)}`,
    level !== undefined && `level ${level} or above`,
    acr && `a session at ${acr}`,
    maxAge !== undefined && `an authentication of the last ${maxAge} s`,
  ].filter(Boolean)
  return parts.length > 0 ? parts.join('; ') : 'nothing more'
}

type Describe = (decision: DecisionContext, place: (row: CompiledRow) => string) => string

/** Findings of a step that passed, by its name in `decide.ts`. */
const passed: Record<string, Describe> = {
  requireServedHost: ({ host }) => `${host} is served here`,
  findClient: ({ address }) => `the client is at ${address}`,
  matchRow: ({ row, target, request }, place) =>
    `row ${row.method} ${row.path} (${place(row)}), to ${row.upstream}${target === request.target ? '' : ` as ${target}`}`,
  authenticateCaller: ({ row, caller }) =>
    caller
      ? `the token is valid: ${caller.identity.email}, role ${caller.identity.role}, plan ${caller.identity.plan}`
      : row.who === 'public'
        ? 'the row is public'
        : 'the row is optional, and there is no token',
  consumeLimits: ({ row, limitHeaders }) =>
    `counts against ${list(row.limits.map(nameOfUse))}${policyIn(limitHeaders)}`,
  rejectOversizedBody: ({ row }) => `up to ${row.body_bytes} bytes`,
  requireAuthorization: ({ row, caller }) =>
    caller ? `the row needs ${requirementsOf(row)}` : 'nobody is signed in, and the row needs nobody',
  requireAssurance: ({ caller }) =>
    caller ? `the session is at ${caller.identity.acr}` : 'nobody is signed in',
  signAssertion: ({ row, caller }) =>
    `${row.upstream} is told ${caller ? `that ${caller.identity.email} calls` : 'that nobody is signed in'}`,
}

function policyIn(headers: readonly string[]): string {
  const at = headers.findIndex((name) => name.toLowerCase() === 'ratelimit-policy')
  return at === -1 ? '' : ` (${headers[at + 1]})`
}

/** One line for each step, with its reason. */
export function describeStep(
  { name, decision, problem }: ExplainedStep,
  place: (row: CompiledRow) => string,
): string {
  const mark = problem ? 'no' : 'ok'
  const members = problem ? Object.entries(problem.members) : []
  const reason = problem
    ? [
        `${problem.status} ${problem.code}`,
        ...members.map(
          ([member, value]) => `${member} ${typeof value === 'string' ? value : JSON.stringify(value)}`,
        ),
        ...(typeof problem.cause === 'string' ? [problem.cause] : []),
      ].join(': ')
    : (passed[name]?.(decision, place) ?? '')
  return `${mark}  ${name.padEnd(22)} ${reason}`.trimEnd()
}
