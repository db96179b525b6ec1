import { dirname, resolve } from 'node:path'
import * as z from 'zod'
import { readPolicyFile } from '../../gateway/adapters/node/policy-reload.ts'
import { parseYaml } from '../../gateway/policy/policy-file.ts'
import { acrSchema } from '../../shared/auth/claims.ts'
import { type ErrorCode, errors } from '../../shared/http/errors.ts'
import { type CallerClaims, createLocalGateway } from './local-gateway.ts'

const names = z.array(z.string().min(1)).default([])
const codes = Object.keys(errors) as [ErrorCode, ...ErrorCode[]]

/** Claims of a caller, those that are left out as those of a new account. */
const callerSchema = z.strictObject({
  email: z.string().default('caller@example.com'),
  role: z.string().default('user'),
  level: z.int().min(0).max(100).default(10),
  permissions: names,
  plan: z.string().default('free'),
  features: names,
  acr: acrSchema.default('aal1'),
  authenticated_seconds_ago: z.int().min(0).default(0),
})

const expectationSchema = z.strictObject({
  request: z.string().regex(/^[A-Z]+ \/\S*$/, { error: 'must be a method and a path: GET /v1/orders/42' }),
  /** A name in `callers`; left out for a request without a token. */
  as: z.string().optional(),
  /** `allow`, or the code of the rejection. */
  expect: z.enum(['allow', ...codes]),
  /** Path of the row that decides, and path and query that go upstream. */
  row: z.string().optional(),
  upstream: z.string().optional(),
  target: z.string().optional(),
})

const expectationsSchema = z
  .strictObject({
    /** Relative to this file. */
    policy: z.string().min(1),
    upstreams: z.array(z.string().min(1)),
    callers: z.record(z.string(), callerSchema).default({}),
    expect: z.array(expectationSchema).min(1),
  })
  .superRefine(({ callers, expect }, context) => {
    for (const [index, { as }] of expect.entries())
      if (as !== undefined && !(as in callers))
        context.addIssue({
          code: 'custom',
          path: ['expect', index, 'as'],
          message: `must be one of callers: ${Object.keys(callers).join(', ') || 'there is none'}`,
        })
  })

export interface Difference {
  line: number
  text: string
}

const withIds = ({
  authenticated_seconds_ago: secondsAgo,
  ...claims
}: z.output<typeof callerSchema>): CallerClaims => ({
  ...claims,
  amr: claims.acr === 'aal2' ? ['pwd', 'otp', 'mfa'] : ['pwd'],
  auth_time: Math.floor(Date.now() / 1000) - secondsAgo,
  sub: crypto.randomUUID(),
  quota: 1_000_000,
  epoch: { user: 1, role: 1, plan: 1 },
})

/**
 * Compares the decisions of a policy file with those that a file of expectations names.
 *
 * @throws PolicyFileError for a fault of either file
 */
export async function testPolicy(path: string): Promise<{ count: number; differences: Difference[] }> {
  const { name, text } = readPolicyFile(path)
  const { data, lineOf } = parseYaml(text, name, expectationsSchema)
  const { policy, upstreams, callers, expect } = data
  const file = readPolicyFile(resolve(dirname(path), policy))
  const gateway = await createLocalGateway({ file, upstreams, environment: highLimits })
  const differences: Difference[] = []
  for (const [index, expectation] of expect.entries()) {
    const { request, as } = expectation
    const found = await decide(request, as === undefined ? undefined : callers[as])
    for (const [field, value] of Object.entries(found)) {
      const wanted = expectation[field as keyof typeof found]
      if (wanted !== undefined && wanted !== value)
        differences.push({
          line: lineOf(['expect', index]),
          text: `${request} as ${as ?? 'nobody'}: ${field} is ${value}, not ${wanted}`,
        })
    }
  }
  await gateway.close()
  return { count: expect.length, differences }

  async function decide(request: string, claims: z.output<typeof callerSchema> | undefined) {
    const [method = '', target = ''] = request.split(' ')
    const steps = await gateway.explain(method, target, claims && withIds(claims))
    const { decision, problem } = steps.at(-1) ?? {}
    return {
      expect: problem?.code ?? 'allow',
      row: decision?.row?.path,
      upstream: decision?.row?.upstream,
      target: decision?.target,
    }
  }
}

/** Limits are counted as a step of each decision, but none is to be reached. */
const highLimits = { LIMIT_ADDRESS_REQUESTS: '1000000', LIMIT_ACCOUNT_REQUESTS: '1000000' }
