import * as z from 'zod'
import {
  isLimitClass,
  keyClaims,
  type LimitKey,
  limitClassDefinitions,
  limitClasses,
} from './limit-classes.ts'
import { type LimitWindow, parseWindow, windowExamples, windowPattern } from './limit-window.ts'

/** Keys that a limit of a policy file may have. */
export const limitKeys = [
  'user',
  'address',
  'api_key',
  ...keyClaims.map((claim) => `claim:${claim}` as const),
] as const satisfies LimitKey[]

const maxLimits = 20
const maxWindows = 4
const maxCost = 1_000_000

const limitName = z.string().regex(/^[a-z][a-z_]{0,39}$/, {
  error: 'must be a name of up to 40 lower-case letters and underscores',
})

const windows = z
  .array(
    z
      .string()
      .regex(windowPattern, { error: `must be a quota and a time, such as ${windowExamples}` })
      .refine((text) => parseWindow(text) !== undefined, {
        abort: true,
        error: 'must have a quota of at most 1000000000, and a time of at most 30 days or a calendar period',
      }),
    { error: `must be a list of windows, such as [${windowExamples}]` },
  )
  .min(1, { error: `must have at least one window, such as ${windowExamples}` })
  .max(maxWindows)
  .refine(
    (texts) => {
      const seconds = texts.map((text) => parseWindow(text)?.seconds)
      return new Set(seconds).size === seconds.length
    },
    { error: 'has two windows of the same length' },
  )

/** Windows as a policy file has them. */
interface WindowTexts {
  windows: readonly string[]
  plans?: Readonly<Record<string, readonly string[]>> | undefined
}

const isSignedIn = (key: string) => key !== 'address'

/** A limit of a policy file. */
export const namedLimitSchema = z
  .strictObject({
    key: z.enum(limitKeys),
    /** Quota and time of each window; a request must be within all of them. */
    windows,
    /** Windows for the users of a plan, in place of `windows`. */
    plans: z.record(z.string().min(1), windows).optional(),
    /** How windows move that are not of the calendar. */
    window: z.enum(['fixed', 'sliding']).default('fixed'),
    counts: z.enum(['requests', 'failures']).default('requests'),
    /** A header of the upstream's response that has the cost of the request, from 0. */
    cost_header: z
      .string()
      .regex(/^[A-Za-z0-9-]{1,64}$/, { error: 'must be the name of a header' })
      .optional(),
    /** While Redis is unavailable: this gateway's share, half of it, all requests, or none. */
    without_redis: z.enum(['share', 'half_share', 'open', 'closed']).default('share'),
    /** Counts and reports, and rejects no request. */
    report_only: z.boolean().default(false),
  })
  .refine(({ key, plans }) => isSignedIn(key) || !plans, {
    path: ['plans'],
    error: 'needs a plan, so the key must not be address',
  })
  .refine((limit) => isSignedIn(limit.key) || windowsOf(limit).every(({ quota }) => quota !== 'plan'), {
    path: ['windows'],
    error: 'needs the quota of a plan, so the key must not be address',
  })
  .refine((limit) => limit.window === 'fixed' || windowsOf(limit).some(({ calendar }) => !calendar), {
    path: ['window'],
    error: 'must be fixed where all windows are those of the calendar',
  })
  .refine(({ counts, cost_header }) => counts === 'requests' || !cost_header, {
    path: ['cost_header'],
    error: 'takes the cost from the response, so the limit must count requests',
  })

export type NamedLimit = z.output<typeof namedLimitSchema>

/** The limits of a policy file, by name. */
export const namedLimitsSchema = z
  .record(
    limitName.refine((name) => !isLimitClass(name), {
      error: `is the name of a built-in limit, which are ${limitClasses.join(', ')}`,
    }),
    namedLimitSchema,
  )
  .refine((limits) => Object.keys(limits).length <= maxLimits, {
    error: `has more than ${maxLimits} limits`,
  })

export type NamedLimits = Readonly<Record<string, NamedLimit>>

/** A limit of a row: its name, or its name and what one request costs. */
export const limitUseSchema = z.union(
  [limitName, z.strictObject({ name: limitName, cost: z.int().min(1).max(maxCost) })],
  { error: `must be the name of a limit, or { name, cost } with a cost of 1 to ${maxCost}` },
)

export type LimitUse = z.output<typeof limitUseSchema>

export const nameOfUse = (use: LimitUse): string => (typeof use === 'string' ? use : use.name)
export const costOfUse = (use: LimitUse): number => (typeof use === 'string' ? 1 : use.cost)

const parsedWindows = (texts: readonly string[]) =>
  texts.map((text) => parseWindow(text)).filter((window) => window !== undefined)

/** The windows of every plan. */
export const windowsOf = ({ windows, plans = {} }: WindowTexts): LimitWindow[] =>
  parsedWindows([...windows, ...Object.values(plans).flat()])

/** The windows without a plan, and those of each plan. */
export const windowSetsOf = ({ windows, plans = {} }: WindowTexts) => ({
  default: parsedWindows(windows),
  byPlan: new Map(Object.entries(plans).map(([plan, texts]) => [plan, parsedWindows(texts)])),
})

interface LimitedRow {
  who: 'public' | 'optional' | 'user'
  keys: boolean
  limits: readonly LimitUse[]
}

/** A fault of the limits of a row. */
export interface RowLimitFault {
  /** Leads to the limit at fault, or to the list of limits. */
  path: readonly ['limits', number] | readonly ['limits']
  reason: string
}

/** The faults that the schema of a row cannot find: it does not know the limits of the file. */
export function listRowLimitFaults(row: LimitedRow, named: NamedLimits): RowLimitFault[] {
  const { limits } = row
  const ofUses = limits.flatMap((use, index): RowLimitFault[] => {
    const reason = faultOfUse(use, limits.slice(0, index), row, named)
    return reason === undefined ? [] : [{ path: ['limits', index], reason }]
  })
  if (ofUses.length > 0) return ofUses
  const reason = faultOfList(row, named)
  return reason === undefined ? [] : [{ path: ['limits'], reason }]
}

function faultOfUse(
  use: LimitUse,
  before: readonly LimitUse[],
  { who, keys }: LimitedRow,
  named: NamedLimits,
): string | undefined {
  const name = nameOfUse(use)
  const known = [...limitClasses, ...Object.keys(named)]
  if (!known.includes(name)) return `has the limit ${name}, which is none of ${known.join(', ')}`
  if (before.some((other) => nameOfUse(other) === name)) return `has the limit ${name} twice`
  if (who === 'public' && countsUsers(use, named))
    return `has the limit ${name}, which counts users, so it must be for users: who must be user or optional`
  const limit = named[name]
  if (!limit) return undefined
  if (limit.key === 'api_key' && !keys)
    return `has the limit ${name}, which counts API keys, so it must have keys: true`
  const cost = costOfUse(use)
  const smallest = Math.min(...windowsOf(limit).map(({ quota }) => (quota === 'plan' ? cost : quota)))
  if (cost > smallest) return `costs ${cost} of the limit ${name}, which has ${smallest} in one window`
  return undefined
}

function faultOfList({ who, limits }: LimitedRow, named: NamedLimits): string | undefined {
  if (who === 'optional' && limits.every((use) => countsUsers(use, named)))
    return 'serves requests without a token, too, so it needs a limit of addresses: address'
  if (!limits.some((use) => countsEveryRequest(use, named)))
    return 'has limits by API keys alone, so requests with another credential would have none'
  return undefined
}

/** Whether a limit counts users, so that a request without a token cannot count against it. */
export function countsUsers(use: LimitUse, named: NamedLimits): boolean {
  const name = nameOfUse(use)
  if (isLimitClass(name)) return name === 'user' || name === 'account'
  return named[name] !== undefined && isSignedIn(named[name].key)
}

/**
 * Whether a limit applies to every request of its row. One by API keys counts no request of another
 * credential.
 */
export const countsEveryRequest = (use: LimitUse, named: NamedLimits): boolean =>
  named[nameOfUse(use)]?.key !== 'api_key'

/** Whether a row's limit counts failures alone, for the origin to decide about those over it. */
export function isBuiltInOfFailures(use: LimitUse): boolean {
  const name = nameOfUse(use)
  return isLimitClass(name) && limitClassDefinitions[name].counts === 'failures'
}
