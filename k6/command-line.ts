import { parseArgs } from 'node:util'
import { UsageError } from '../shared/node/cli.ts'
import { type Scenario, scenarios } from './scenarios.ts'

export const usage = `npm run k6 -- SCENARIO [--users N] [--rate N] [--seconds N] [--gateways N] [--hash-cost N] [--set NAME=VALUE]
              [--measure] [--ramp N] [--reads] [--search] [--out FOLDER]

SCENARIO is ${Object.keys(scenarios).join(', ')}.

--users      seeded accounts
--rate       requests a second of the frontends; of ramp, at its top
--seconds    how long
--gateways   gateways behind the balancer
--hash-cost  bcrypt's cost, 10 to 15
--set        a variable of Gatehouse, repeatable
--measure    with frontend: processor time for each kind of request
--ramp       with hundred-thousand: seconds in which the users come, before those that count
--reads      with hundred-thousand: the generator sends reads alone, no refresh and no login
--search     with hundred-thousand: the highest rate that keeps the promises, in shorter runs
--out        with hundred-thousand: folder of the report, by default k6/results
`

export interface LoadTestOptions extends Scenario {
  name: string
  measures: boolean
  rampSeconds: number
  readsOnly: boolean
  searches: boolean
  out?: string
}

/**
 * Logins are measured at what they cost in production; other scenarios hash at the least there is.
 */
export const productionHashCost = 12

const numbers = ['users', 'rate', 'seconds', 'gateways', 'hash-cost', 'ramp'] as const

/** Users come over a minute: each brings a token that was not seen before. */
const usualRampSeconds = 60

/** Long enough to wait for what a queue that grows does to p95. */
const searchSeconds = 60

/** A search takes longer than a token lives by default, and its generator refreshes none. */
const searchTokenSeconds = 3600

/** Options that belong to one scenario. */
const owners = {
  measure: 'frontend',
  ramp: 'hundred-thousand',
  reads: 'hundred-thousand',
  search: 'hundred-thousand',
  out: 'hundred-thousand',
} as const

/** @throws UsageError */
export function parseCommandLine(args: string[]): LoadTestOptions {
  const { values, positionals } = parse(args)
  if (values.help) throw new UsageError('What load tests there are:')
  const [given = 'smoke', ...more] = positionals
  if (more.length > 0) throw new UsageError(`too many words: ${more.join(' ')}`)
  const name = given.replace(/\.[jt]s$/, '')
  const scenario = scenarios[name]
  if (!scenario) throw new UsageError(`there is no scenario ${name}`)
  for (const [option, owner] of Object.entries(owners))
    if (values[option as keyof typeof owners] && name !== owner)
      throw new UsageError(`--${option} belongs to ${owner}`)
  const { 'hash-cost': asked, ramp = usualRampSeconds, ...scale } = readNumbers(values)
  if (scenario.isLean && (scale.gateways ?? 1) > 1) throw new UsageError(`${name} has one gateway`)
  const hashCost = asked ?? (values.measure ? productionHashCost : undefined)
  return {
    ...scenario,
    ...(values.search && { seconds: searchSeconds }),
    ...scale,
    environment: {
      ...scenario.environment,
      ...(hashCost && { PASSWORD_HASH_COST: `${hashCost}` }),
      ...(values.search && { ACCESS_TOKEN_SECONDS: `${searchTokenSeconds}` }),
      ...readVariables(values.set),
    },
    name,
    measures: values.measure,
    rampSeconds: ramp,
    readsOnly: values.reads,
    searches: values.search,
    ...(values.out !== undefined && { out: values.out }),
  }
}

function readVariables(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((text) => {
      const [, name, value] = /^([A-Z][A-Z0-9_]*)=(.*)$/.exec(text) ?? []
      if (name === undefined || value === undefined) throw new UsageError('--set takes NAME=VALUE')
      return [name, value]
    }),
  )
}

function readNumbers(values: ReturnType<typeof parse>['values']) {
  const read: Partial<Record<(typeof numbers)[number], number>> = {}
  for (const name of numbers) {
    const text = values[name]
    if (text === undefined) continue
    if (!/^[1-9]\d{0,7}$/.test(text)) throw new UsageError(`--${name} takes a number from 1 on`)
    read[name] = Number(text)
  }
  return read
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        users: { type: 'string' },
        rate: { type: 'string' },
        seconds: { type: 'string' },
        gateways: { type: 'string' },
        'hash-cost': { type: 'string' },
        ramp: { type: 'string' },
        out: { type: 'string' },
        set: { type: 'string', multiple: true, default: [] },
        measure: { type: 'boolean', default: false },
        reads: { type: 'boolean', default: false },
        search: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}
