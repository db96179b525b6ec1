import { addressKey } from '../../shared/http/address-key.ts'
import type { GatewayConfig } from '../config.ts'
import { compileBuiltInLimits, type LimitVariables } from '../limits/built-in-limits.ts'
import { isLimitClass, type KeyClaim, type LimitKey } from '../limits/limit-classes.ts'
import { type CompiledLimit, compileLimit, definitionOf } from '../limits/limit-definition.ts'
import type { Limit } from '../limits/limit-rule.ts'
import { costOfUse, type NamedLimit, nameOfUse } from '../limits/limit-schema.ts'
import type { CompiledRow, Policy } from '../policy/policy.ts'
import type { VerifiedToken } from '../tokens/verified-token.ts'
import type { DecisionContext } from './decision-context.ts'

/** A limit of a row, and what one request to the row costs. */
interface RowLimit {
  limit: CompiledLimit
  cost: number
}

/** The facts of a request that its limits follow from. */
type LimitedRequest = Pick<DecisionContext, 'address' | 'row' | 'caller' | 'apiKey'>

/** A limit by API keys counts no request of another credential. */
function subjectOf(key: LimitKey, { address, caller, apiKey }: LimitedRequest): string | undefined {
  if (key === 'address') return addressKey(address)
  if (!caller) throw new Error(`a limit by ${key} is for users`)
  const { identity } = caller
  switch (key) {
    case 'user':
      return identity.sub
    case 'address_and_user':
      return `${addressKey(address)} ${identity.sub}`
    case 'api_key':
      return apiKey?.id
    default:
      return identity[key.slice('claim:'.length) as KeyClaim]
  }
}

/** Adds one entry for each window. All entries have one shape, which V8 reads fastest. */
function addLimits(limits: Limit[], limit: CompiledLimit, subject: string, cost: number, plan: Plan): void {
  const rules = limit.rulesByPlan?.get(plan.name) ?? limit.rules
  for (const rule of rules) limits.push({ rule, subject, quota: rule.quota || plan.quota, cost })
}

interface Plan {
  name: string
  quota: number
}

/** A public row has no limit that asks for a plan. */
const noPlan: Plan = { name: '', quota: 0 }

const planOf = (caller: VerifiedToken | null): Plan =>
  caller ? { name: caller.identity.plan, quota: caller.identity.quota } : noPlan

/** The limits of a request: those of its row, each with its quota and its user or address. */
export function createRequestLimits(
  config: Pick<GatewayConfig, LimitVariables>,
  policy: Pick<Policy, 'limits'>,
) {
  const builtIn = compileBuiltInLimits(config)
  /** By the limit of the policy file, so that all rows that name it share its rules. */
  const compiled = new WeakMap<NamedLimit, CompiledLimit>()
  const limitsOfRows = new WeakMap<CompiledRow, readonly RowLimit[]>()

  function compileNamed(name: string, limit: NamedLimit): CompiledLimit {
    const known = compiled.get(limit) ?? compileLimit(definitionOf(name, limit))
    compiled.set(limit, known)
    return known
  }

  function limitOfRow(name: string, { who, counts, namedLimits }: CompiledRow): CompiledLimit {
    if (!isLimitClass(name)) return compileNamed(name, namedLimits[name] as NamedLimit)
    if (name === 'credentials' && who === 'user') return builtIn.credentialsOfUser
    if (name === 'address' && counts === 'failures') return builtIn.failuresOfAddress
    return builtIn.byClass[name]
  }

  function limitsOf(row: CompiledRow): readonly RowLimit[] {
    const known = limitsOfRows.get(row)
    if (known) return known
    const limits = row.limits.map((use) => ({ limit: limitOfRow(nameOfUse(use), row), cost: costOfUse(use) }))
    limitsOfRows.set(row, limits)
    return limits
  }

  function requireLimit(limits: Limit[], name: string): Limit {
    const [first] = limits
    if (!first) throw new Error(`the limit ${name} has no window`)
    return first
  }

  return {
    /** The limit of missing and invalid tokens. */
    forInvalidTokens(from: string): Limit {
      const limits: Limit[] = []
      addLimits(limits, builtIn.byClass.address, addressKey(from), 1, noPlan)
      return requireLimit(limits, 'address')
    },

    /** The limits that count the requests of the user or of the API key, to be read. */
    ofUser(request: LimitedRequest): Limit[] {
      const plan = planOf(request.caller)
      const named = Object.entries(policy.limits).map(([name, limit]) => compileNamed(name, limit))
      const limits: Limit[] = []
      for (const limit of [builtIn.byClass.user, builtIn.byClass.account, ...named]) {
        if (!limit.countsUsage && limit !== builtIn.byClass.account) continue
        const subject = subjectOf(limit.key, request)
        if (subject !== undefined) addLimits(limits, limit, subject, 0, plan)
      }
      return limits
    },

    forRequest(request: LimitedRequest): Limit[] {
      const plan = planOf(request.caller)
      const limits: Limit[] = []
      for (const { limit, cost } of limitsOf(request.row)) {
        const subject = subjectOf(limit.key, request)
        if (subject !== undefined) addLimits(limits, limit, subject, cost, plan)
      }
      return limits
    },
  }
}

export type RequestLimits = ReturnType<typeof createRequestLimits>
