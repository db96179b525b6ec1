import * as z from 'zod'
import { assuranceShape } from '../../shared/auth/assurance.ts'
import { authorizationShape } from '../../shared/auth/authorization.ts'
import { Problem } from '../../shared/http/errors.ts'
import { describeSchemaFault, listSchemaFaults } from '../../shared/lib/schema-faults.ts'
import { maxBufferedBodyBytes } from '../lib/buffered-body.ts'
import { formatAllow } from '../lib/http-method.ts'
import { overLimitRules } from '../limits/limit-classes.ts'
import {
  countsEveryRequest,
  countsUsers,
  isBuiltInOfFailures,
  limitUseSchema,
  listRowLimitFaults,
  type NamedLimits,
} from '../limits/limit-schema.ts'
import { createPathMatcher } from './path-matcher.ts'
import { ambiguousPath, mayBeReadOtherwise, otherReading } from './request-target.ts'
import { compileRewrite, rewriteFault, type ToUpstreamPath } from './rewrite.ts'
import { hasRowHeaders, rowHeaderShape } from './row-headers.ts'
import { methodOfRow, methodsOf, type RowMethod } from './row-methods.ts'
import { reachesInternal, rewritePattern, rowPathPattern, shapeOf } from './row-path.ts'

/**
 * A row of the policy table: the methods of one path, its upstream, its callers and its limits. A
 * row for `user` can require permissions (any of, all of), features (all of), a level, and a way
 * and an age of the authentication; all of them must hold.
 */
export const policyRowSchema = z
  .strictObject({
    method: methodOfRow,
    path: z.string().regex(rowPathPattern, {
      error: 'must be segments such as /v1/files/{id}, of which the last may be {rest...}',
    }),
    /** Path that goes upstream in place of `path`, with its parameters. */
    rewrite: z
      .string()
      .regex(rewritePattern, { error: 'must be segments such as /files/{id}, or /' })
      .optional(),
    upstream: z.string().min(1),
    /**
     * Allowed callers: `public` is anybody, `user` needs a valid access token. `optional` is
     * anybody, but a token that comes along must be valid, and its user is named to the upstream.
     */
    who: z.enum(['public', 'optional', 'user']),
    /** Whether API keys are accepted beside access tokens. */
    keys: z.boolean().default(false),
    ...authorizationShape,
    ...assuranceShape,
    /** Whether accounts that must have a second factor may call it before they present one. */
    before_enrolment: z.boolean().default(false),
    /** Names of limits, built in or of the file, each with the cost of one request. */
    limits: z.array(limitUseSchema).min(1),
    /** Whether the limit `address` counts every request or failures only. */
    counts: z.enum(['requests', 'failures']).default('requests'),
    /** Whether a request over its failure limits is rejected here or forwarded to the origin. */
    over_limit: z.enum(overLimitRules).default('refuse'),
    /**
     * Client credentials that go upstream: the gateway's cookies, the Authorization header.
     */
    passes: z.array(z.enum(['cookies', 'authorization', 'limits'])).default([]),
    /** Whether WebSockets are allowed, on runtimes that support them. */
    websocket: z.boolean().default(false),
    /** Whether a signed URL may take the place of a token. */
    signed_urls: z.boolean().default(false),
    /** From sending the request upstream to the head of the response. */
    deadline_seconds: z.number().positive().max(3600).default(30),
    /** Longest silence within a response body; the gateway then ends it. */
    idle_seconds: z.number().positive().max(86_400).default(60),
    body_bytes: z
      .int()
      .min(0)
      .max(1024 ** 3)
      .default(64 * 1024),
    ...rowHeaderShape,
  })
  .refine((row) => row.who === 'user' || !(row.permissions || row.features || row.level !== undefined), {
    path: ['who'],
    error: 'the row requires permissions, features or a level, so it must be for users: who must be user',
  })
  .refine(
    ({ who, method, signed_urls }) => !signed_urls || (who !== 'public' && methodsOf(method).includes('GET')),
    { path: ['signed_urls'], error: 'the row must be a GET for users: who must be user or optional' },
  )
  .refine(({ who, keys }) => who !== 'public' || !keys, {
    path: ['who'],
    error: 'the row accepts API keys, so it must be for users: who must be user or optional',
  })
  .refine((row) => row.who === 'user' || (row.acr === undefined && row.max_age_seconds === undefined), {
    path: ['who'],
    error: 'the row requires acr or max_age_seconds, so it must be for users: who must be user',
  })
  .refine(
    ({ over_limit, upstream, limits }) =>
      over_limit === 'refuse' || (upstream === 'origin' && limits.every(isBuiltInOfFailures)),
    {
      path: ['over_limit'],
      error:
        'the row forwards requests over its limits, so it must go to the origin and have limits of failures alone',
    },
  )
  .refine(({ over_limit, body_bytes }) => over_limit === 'refuse' || body_bytes <= maxBufferedBodyBytes, {
    path: ['body_bytes'],
    error: `the row forwards requests over its limits, so its body must have at most ${maxBufferedBodyBytes} bytes`,
  })
  .refine((row) => !row.websocket || methodsOf(row.method).includes('GET'), {
    path: ['websocket'],
    error: 'the row is a WebSocket, so its method must be GET',
  })
  .superRefine(({ path, rewrite }, context) => {
    const fault = rewrite === undefined ? undefined : rewriteFault(path, rewrite)
    if (fault) context.addIssue({ code: 'custom', path: ['rewrite'], message: fault })
  })

export type PolicyRow = z.input<typeof policyRowSchema>

/** A row as requests are decided by it: one for each of its methods. */
export interface CompiledRow extends Omit<z.output<typeof policyRowSchema>, 'method'> {
  method: RowMethod
  /** undefined where the matched path goes upstream as it is. */
  toUpstreamPath: ToUpstreamPath | undefined
  /** Whether its responses have other headers than those of most rows. */
  hasOwnHeaders: boolean
  /** Of a row for anybody, with the limits of signed-in callers. */
  whenSignedIn: CompiledRow | undefined
  /** The limits of its policy file. */
  namedLimits: NamedLimits
}

/** A row without the limits of its file. @throws ZodError where the row cannot be used */
export const compileRow = (row: PolicyRow): CompiledRow[] => compileRowWith(row, {})

/** @throws ZodError where the row cannot be used */
function compileRowWith(row: PolicyRow, namedLimits: NamedLimits): CompiledRow[] {
  const parsed = policyRowSchema.parse(row)
  const { path, rewrite, who, limits } = parsed
  const toUpstreamPath = rewrite === undefined ? undefined : compileRewrite(path, rewrite)
  return methodsOf(parsed.method).map((method) => {
    const isGet = method === 'GET'
    const compiled = {
      ...parsed,
      method,
      websocket: parsed.websocket && isGet,
      signed_urls: parsed.signed_urls && isGet,
      toUpstreamPath,
      hasOwnHeaders: hasRowHeaders(parsed),
      whenSignedIn: undefined,
      namedLimits,
    }
    if (who !== 'optional') return compiled
    const ofUsers = limits.filter((use) => countsUsers(use, namedLimits))
    const countsAllUsers = ofUsers.some((use) => countsEveryRequest(use, namedLimits))
    return {
      ...compiled,
      limits: limits.filter((use) => !countsUsers(use, namedLimits)),
      whenSignedIn: { ...compiled, limits: countsAllUsers ? ofUsers : limits },
    }
  })
}

/** Deny by default: a path without a row does not exist. */
export interface Policy {
  /**
   * @param path normalized, as `readTarget` gives it
   * @throws Problem `not_found`, `method_not_allowed`, `bad_request` where servers that drop path
   * parameters or a slash at the end would find another row
   */
  match(method: string, path: string): CompiledRow
  /**
   * The methods that rows of this path have.
   *
   * @throws Problem `not_found`, `bad_request` as `match` does
   */
  methods(path: string): readonly string[]
  /** The limits of the policy file. */
  readonly limits: NamedLimits
}

/** An unusable row, with the field at fault and the reason. */
export class PolicyRowError extends Error {
  /** Index of the row, from 0. */
  readonly index: number
  readonly field: keyof PolicyRow
  /** Index of the row that it collides with. */
  readonly otherIndex: number | undefined

  constructor(index: number, row: PolicyRow, field: keyof PolicyRow, reason: string, otherIndex?: number) {
    super(`The policy row ${[row.method].flat().join(', ')} ${row.path} ${reason}`)
    this.name = 'PolicyRowError'
    this.index = index
    this.field = field
    this.otherIndex = otherIndex
  }
}

/** The methods of one path, and the index of the row that each came from. */
interface PathRows {
  pattern: string
  byMethod: Map<string, CompiledRow>
  indexes: Map<string, number>
}

/**
 * @param namedLimits of the policy file
 * @throws PolicyRowError where the table cannot be used
 */
export function compilePolicy(
  rows: readonly PolicyRow[],
  upstreams: readonly string[],
  namedLimits: NamedLimits = {},
): Policy {
  const matcher = createPathMatcher<Map<string, CompiledRow>>()
  const paths = new Map<string, PathRows>()

  function add(index: number, row: PolicyRow, compiled: CompiledRow): void {
    const { method, path } = compiled
    const shape = shapeOf(path)
    const known = paths.get(shape)
    const other = known?.indexes.get(method)
    if (other !== undefined)
      throw new PolicyRowError(index, row, 'path', `is in the table twice: ${method} ${path}`, other)
    const { byMethod, indexes } = known ?? { byMethod: new Map(), indexes: new Map() }
    byMethod.set(method, compiled)
    indexes.set(method, index)
    if (method === 'GET') byMethod.set('HEAD', compiled)
    if (known) return
    paths.set(shape, { pattern: path, byMethod, indexes })
    matcher.add(path, byMethod)
  }

  for (const [index, row] of rows.entries()) {
    for (const compiled of compileTableRow(index, row, upstreams, namedLimits)) add(index, row, compiled)
  }

  function methodsAt(path: string): Map<string, CompiledRow> {
    const atPath = matcher.find(path)
    const isNoDirectory = !atPath && path.endsWith('/')
    if (mayBeReadOtherwise(path) && !isNoDirectory && matcher.find(otherReading(path)) !== atPath)
      throw ambiguousPath()
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
    limits: namedLimits,
  }
}

/** @throws PolicyRowError for a row that no table can have */
function compileTableRow(
  index: number,
  row: PolicyRow,
  upstreams: readonly string[],
  namedLimits: NamedLimits,
): CompiledRow[] {
  const parsed = policyRowSchema.safeParse(row)
  if (!parsed.success) {
    const faults = listSchemaFaults(parsed.error)
    const reasons = faults.map((fault) => describeSchemaFault(fault, 'the row'))
    const field = (faults[0]?.path[0] ?? 'path') as keyof PolicyRow
    throw new PolicyRowError(index, row, field, `is not usable: ${reasons.join('; ')}`)
  }
  const [fault] = listRowLimitFaults(parsed.data, namedLimits)
  if (fault) throw new PolicyRowError(index, row, 'limits', fault.reason)
  const { upstream, path, rewrite = path } = parsed.data
  if (!upstreams.includes(upstream))
    throw new PolicyRowError(
      index,
      row,
      'upstream',
      `goes to ${upstream}, which is no upstream: upstream must be one of ${upstreams.join(', ')}`,
    )
  if (upstream === 'origin' && reachesInternal(rewrite))
    throw new PolicyRowError(
      index,
      row,
      row.rewrite === undefined ? 'path' : 'rewrite',
      'opens the internal API of the origin, which is for services and gateways',
    )
  return compileRowWith(row, namedLimits)
}
