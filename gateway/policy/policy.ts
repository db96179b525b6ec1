import { RegExpRouter } from 'hono/router/reg-exp-router'
import { SmartRouter } from 'hono/router/smart-router'
import { TrieRouter } from 'hono/router/trie-router'
import { z } from 'zod'
import { authorizationShape } from '../../shared/auth/authorization.ts'
import { Problem } from '../../shared/http/errors.ts'
import { describeSchemaFault, listSchemaFaults } from '../../shared/lib/schema-faults.ts'
import { maxBufferedBodyBytes } from '../lib/buffered-body.ts'
import { formatAllow } from '../lib/http-method.ts'
import { limitClassDefinitions, limitClasses, overLimitRules } from '../rate-limit/limit-classes.ts'
import { ambiguousPath, mayHaveParameters, withoutParameters } from './request-target.ts'

const methods = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

/** Literal segments and `{parameters}` only, which every router reads the same way. */
const pathPattern = /^(\/([A-Za-z0-9._~-]+|\{[a-z_]+\}))+$/

/**
 * A row of the policy table: one method and path, its upstream, its callers and its limits. A row
 * for `user` can require permissions (any of, all of), features (all of) and a level; all of them
 * must hold.
 */
export const policyRowSchema = z
  .strictObject({
    method: z.enum(methods),
    path: z.string().regex(pathPattern),
    upstream: z.string().min(1),
    /** Allowed callers: `public` is anybody, `user` needs a valid access token. */
    who: z.enum(['public', 'user']),
    ...authorizationShape,
    limits: z.array(z.enum(limitClasses)).min(1),
    /** Whether the limit `address` counts every request or failures only. */
    counts: z.enum(['requests', 'failures']).default('requests'),
    /** Whether a request over its failure limits is rejected here or forwarded to the origin. */
    over_limit: z.enum(overLimitRules).default('refuse'),
    /**
     * Client credentials that go upstream: the gateway's cookies, the Authorization header.
     */
    passes: z.array(z.enum(['cookies', 'authorization'])).default([]),
    /** Whether WebSockets are allowed, on runtimes that support them. */
    websocket: z.boolean().default(false),
    /** From sending the request upstream to the head of the response. */
    deadline_seconds: z.number().positive().max(3600).default(30),
    /** Longest silence within a response body; the gateway then ends it. */
    idle_seconds: z.number().positive().max(86_400).default(60),
    body_bytes: z
      .int()
      .min(0)
      .max(1024 ** 3)
      .default(64 * 1024),
  })
  .refine((row) => row.who === 'user' || !(row.permissions || row.features || row.level !== undefined), {
    error: 'requires permissions, features or a level, so it must be for users',
  })
  .refine(
    ({ over_limit, upstream, limits }) =>
      over_limit === 'refuse' ||
      (upstream === 'origin' && limits.every((name) => limitClassDefinitions[name].counts === 'failures')),
    {
      error:
        'forwards requests over its limits, so it must go to the origin and have limits of failures alone',
    },
  )
  .refine(({ over_limit, body_bytes }) => over_limit === 'refuse' || body_bytes <= maxBufferedBodyBytes, {
    error: `forwards requests over its limits, so its body must have at most ${maxBufferedBodyBytes} bytes`,
  })
  .refine((row) => row.method === 'GET' || !row.websocket, {
    error: 'is a WebSocket, so its method must be GET',
  })
  .refine(({ who, limits }) => who === 'user' || !(limits.includes('user') || limits.includes('account')), {
    error: 'has a limit for users, so it must be for users',
  })

export type PolicyRow = z.input<typeof policyRowSchema>
export type CompiledRow = z.output<typeof policyRowSchema>

/** Deny by default: a path without a row does not exist. */
export interface Policy {
  /**
   * @param path normalized, as `readTarget` gives it
   * @throws Problem `not_found`, `method_not_allowed`, `bad_request` where path parameters change
   * the row
   */
  match(method: string, path: string): CompiledRow
  /**
   * The methods that rows of this path have.
   *
   * @throws Problem `not_found`, `bad_request` as `match` does
   */
  methods(path: string): readonly string[]
}

/**
 * No row may reach the origin's internal API, not even by a path parameter that has the value
 * `internal`.
 */
const reachesInternal = /^\/(internal|\{[a-z_]+\})(\/|$)/

/** An unusable row, with the reason. */
export class PolicyRowError extends Error {
  /** Index of the row, from 0. */
  readonly index: number

  constructor(index: number, row: PolicyRow, reason: string) {
    super(`The policy row ${row.method} ${row.path} ${reason}`)
    this.name = 'PolicyRowError'
    this.index = index
  }
}

/** @throws PolicyRowError where the table cannot be used */
export function compilePolicy(rows: readonly PolicyRow[], upstreams: readonly string[]): Policy {
  const router = new SmartRouter<Map<string, CompiledRow>>({
    routers: [new RegExpRouter(), new TrieRouter()],
  })
  const paths = new Map<string, Map<string, CompiledRow>>()

  for (const [index, row] of rows.entries()) {
    const parsed = policyRowSchema.safeParse(row)
    if (!parsed.success) {
      const faults = listSchemaFaults(parsed.error).map((fault) => describeSchemaFault(fault, 'the row'))
      throw new PolicyRowError(index, row, `is not usable: ${faults.join('; ')}`)
    }
    const compiled = parsed.data
    if (!upstreams.includes(compiled.upstream))
      throw new PolicyRowError(index, row, `goes to ${compiled.upstream}, which is no upstream`)
    if (compiled.upstream === 'origin' && reachesInternal.test(compiled.path))
      throw new PolicyRowError(
        index,
        row,
        'opens the internal API of the origin, which is for services and gateways',
      )
    // Parameter names do not distinguish paths.
    const pattern = compiled.path.replaceAll(/\{[a-z_]+\}/g, ':_')
    const atPath = paths.get(pattern) ?? new Map<string, CompiledRow>()
    if (atPath.has(compiled.method)) throw new PolicyRowError(index, row, 'is in the table twice')
    paths.set(pattern, atPath)
    atPath.set(compiled.method, compiled)
    if (compiled.method === 'GET') atPath.set('HEAD', compiled)
  }
  // The router takes the first match. Literal segments come first, so that they win over
  // parameters in any order of the rows.
  const literalsFirst = (pattern: string) => pattern.replaceAll(':_', '\uffff')
  for (const [pattern, atPath] of [...paths].sort(([a], [b]) =>
    literalsFirst(a) < literalsFirst(b) ? -1 : 1,
  )) {
    router.add('ALL', pattern, atPath)
  }

  const find = (path: string) => router.match('ALL', path)[0][0]?.[0]

  function methodsAt(path: string): Map<string, CompiledRow> {
    const atPath = find(path)
    if (mayHaveParameters(path) && find(withoutParameters(path)) !== atPath) throw ambiguousPath()
    if (!atPath) throw new Problem('not_found')
    return atPath
  }

  return {
    match(method, path) {
      const atPath = methodsAt(path)
      const row = atPath.get(method)
      if (!row) throw new Problem('method_not_allowed', { headers: { allow: formatAllow(atPath.keys()) } })
      return row
    },
    methods: (path) => [...methodsAt(path).keys()],
  }
}
