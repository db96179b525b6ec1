import { RegExpRouter } from 'hono/router/reg-exp-router'
import { SmartRouter } from 'hono/router/smart-router'
import { TrieRouter } from 'hono/router/trie-router'
import { z } from 'zod'
import { authorizationShape } from '../../shared/auth/authorization.ts'
import { Problem } from '../../shared/http/errors.ts'
import { describeSchemaFault, listSchemaFaults } from '../../shared/lib/schema-faults.ts'
import { gatheredBytes } from '../lib/gathered-bytes.ts'
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
export const routeSchema = z
  .strictObject({
    method: z.enum(methods),
    path: z.string().regex(pathPattern),
    upstream: z.string().min(1),
    who: z.enum(['public', 'user']),
    ...authorizationShape,
    limits: z.array(z.enum(limitClasses)).min(1),
    /** Whether the limit `address` counts every request or failures only. */
    counts: z.enum(['requests', 'failures']).default('requests'),
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
  .refine(
    (route) => route.who === 'user' || !(route.permissions || route.features || route.level !== undefined),
    {
      error: 'asks for rights, so it must be for users',
    },
  )
  .refine(
    ({ over_limit, upstream, limits }) =>
      over_limit === 'refuse' ||
      (upstream === 'origin' && limits.every((name) => limitClassDefinitions[name].counts === 'failures')),
    { error: 'goes on over its limits, so it must go to the origin and have limits of failures alone' },
  )
  .refine(({ over_limit, body_bytes }) => over_limit === 'refuse' || body_bytes <= gatheredBytes, {
    error: `goes on over its limits, so its body must have at most ${gatheredBytes} bytes`,
  })
  .refine((route) => route.method === 'GET' || !route.websocket, {
    error: 'is a WebSocket, so its method must be GET',
  })
  .refine(({ who, limits }) => who === 'user' || !(limits.includes('user') || limits.includes('account')), {
    error: 'has a limit for users, so it must be for users',
  })

export type RouteRow = z.input<typeof routeSchema>
export type Route = z.output<typeof routeSchema>

/** Deny by default: a path without a row does not exist. */
export interface Policy {
  /**
   * @param path normalized, as `readTarget` gives it
   * @throws Problem `not_found`, `method_not_allowed`, `bad_request` where path parameters change
   * the row
   */
  match(method: string, path: string): Route
  /**
   * The methods that rows of this path have.
   *
   * @throws Problem `not_found`, `bad_request` as `match` does
   */
  methods(path: string): readonly string[]
}

/**
 * The origin's internal API has no place behind a gateway, not even by a parameter that happens to
 * say so.
 */
const reachesInternal = /^\/(internal|\{[a-z_]+\})(\/|$)/

/** An unusable row, with the reason. */
export class PolicyRowError extends Error {
  /** Index of the row, from 0. */
  readonly index: number

  constructor(index: number, row: RouteRow, reason: string) {
    super(`The policy row ${row.method} ${row.path} ${reason}`)
    this.name = 'PolicyRowError'
    this.index = index
  }
}

/** @throws PolicyRowError where the table cannot be used */
export function compilePolicy(rows: readonly RouteRow[], upstreams: readonly string[]): Policy {
  const router = new SmartRouter<Map<string, Route>>({ routers: [new RegExpRouter(), new TrieRouter()] })
  const paths = new Map<string, Map<string, Route>>()

  for (const [index, row] of rows.entries()) {
    const parsed = routeSchema.safeParse(row)
    if (!parsed.success) {
      const faults = listSchemaFaults(parsed.error).map((fault) => describeSchemaFault(fault, 'the row'))
      throw new PolicyRowError(index, row, `is not usable: ${faults.join('; ')}`)
    }
    const route = parsed.data
    if (!upstreams.includes(route.upstream))
      throw new PolicyRowError(index, row, `goes to ${route.upstream}, which is no upstream`)
    if (route.upstream === 'origin' && reachesInternal.test(route.path))
      throw new PolicyRowError(index, row, 'opens what the origin keeps for services and gateways')
    // Parameter names do not distinguish paths.
    const pattern = route.path.replaceAll(/\{[a-z_]+\}/g, ':_')
    const atPath = paths.get(pattern) ?? new Map<string, Route>()
    if (atPath.has(route.method)) throw new PolicyRowError(index, row, 'stands twice')
    paths.set(pattern, atPath)
    atPath.set(route.method, route)
    if (route.method === 'GET') atPath.set('HEAD', route)
  }
  // The router takes the first that fits: a literal segment wins over a parameter, in whatever
  // order the rows stand.
  const literalsFirst = (pattern: string) => pattern.replaceAll(':_', '\uffff')
  for (const [pattern, atPath] of [...paths].sort(([a], [b]) =>
    literalsFirst(a) < literalsFirst(b) ? -1 : 1,
  )) {
    router.add('ALL', pattern, atPath)
  }

  const find = (path: string) => router.match('ALL', path)[0][0]?.[0]

  function methodsAt(path: string): Map<string, Route> {
    const atPath = find(path)
    if (mayHaveParameters(path) && find(withoutParameters(path)) !== atPath) throw ambiguousPath()
    if (!atPath) throw new Problem('not_found')
    return atPath
  }

  return {
    match(method, path) {
      const atPath = methodsAt(path)
      const route = atPath.get(method)
      if (!route) throw new Problem('method_not_allowed', { headers: { allow: formatAllow(atPath.keys()) } })
      return route
    },
    methods: (path) => [...methodsAt(path).keys()],
  }
}
