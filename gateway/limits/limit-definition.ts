import type { ConsumeRequest } from '../ports.ts'
import type { LimitKey } from './limit-classes.ts'
import type { LimitRule } from './limit-rule.ts'
import { type NamedLimit, windowSetsOf } from './limit-schema.ts'
import type { LimitWindow } from './limit-window.ts'

/** A limit, of the policy file or built in: what it counts, whose requests, and its windows. */
export interface LimitDefinition {
  name: string
  key: LimitKey
  windows: readonly LimitWindow[]
  /** Windows for the users of a plan, in place of `windows`. */
  windowsByPlan: ReadonlyMap<string, readonly LimitWindow[]>
  isSliding: boolean
  failuresOnly: boolean
  withoutStore: ConsumeRequest['withoutStore']
  isReportOnly: boolean
  costHeader: string | undefined
  /** Whether users are told how much of it they used. */
  countsUsage: boolean
}

/** A limit with one rule for each of its windows. */
export interface CompiledLimit {
  name: string
  key: LimitKey
  rules: readonly LimitRule[]
  /** undefined where all plans have the same windows. */
  rulesByPlan: ReadonlyMap<string, readonly LimitRule[]> | undefined
  failuresOnly: boolean
  isReportOnly: boolean
  countsUsage: boolean
}

/** The definition of a limit of a policy file. */
export function definitionOf(name: string, limit: NamedLimit): LimitDefinition {
  const { default: windows, byPlan } = windowSetsOf(limit)
  return {
    name,
    key: limit.key,
    windows,
    windowsByPlan: byPlan,
    isSliding: limit.window === 'sliding',
    failuresOnly: limit.counts === 'failures',
    withoutStore: limit.without_redis,
    isReportOnly: limit.report_only,
    costHeader: limit.cost_header?.toLowerCase(),
    countsUsage: limit.key !== 'address' && limit.counts === 'requests' && !limit.report_only,
  }
}

export function compileLimit(definition: LimitDefinition): CompiledLimit {
  const { name, key, windows, windowsByPlan, failuresOnly, isReportOnly } = definition
  const hasSeveralWindows = [windows, ...windowsByPlan.values()].some((set) => set.length > 1)
  const rulesOf = (set: readonly LimitWindow[]) =>
    set.map((window, index) => ({
      ...ruleOf(definition, window, hasSeveralWindows),
      countsUsage: definition.countsUsage && index === 0,
    }))
  return {
    name,
    key,
    rules: rulesOf(windows),
    rulesByPlan:
      windowsByPlan.size === 0
        ? undefined
        : new Map(Array.from(windowsByPlan, ([plan, set]) => [plan, rulesOf(set)])),
    failuresOnly,
    isReportOnly,
    countsUsage: definition.countsUsage,
  }
}

function ruleOf(
  definition: LimitDefinition,
  window: LimitWindow,
  hasSeveralWindows: boolean,
): Omit<LimitRule, 'countsUsage'> {
  const { name, isSliding, withoutStore, failuresOnly, isReportOnly, costHeader } = definition
  const { per, seconds, calendar, quota } = window
  return {
    limit: name,
    name: hasSeveralWindows ? `${name}/${per}` : name,
    window: calendar ?? (isSliding ? 'sliding' : 'fixed'),
    windowSeconds: seconds,
    quota: quota === 'plan' ? 0 : quota,
    withoutStore,
    failuresOnly,
    isReportOnly,
    // A request over one window consumes nothing of the others.
    mayBeRefunded: failuresOnly || hasSeveralWindows || costHeader !== undefined,
    costHeader,
  }
}
