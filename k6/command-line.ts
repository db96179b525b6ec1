import { parseArgs } from 'node:util'
import { UsageError } from '../shared/node/cli.ts'
import { type Scenario, scenarios } from './scenarios.ts'

export const usage = `npm run k6 -- SCENARIO [--users N] [--rate N] [--seconds N] [--gateways N] [--hash-cost N] [--measure]

SCENARIO is ${Object.keys(scenarios).join(', ')}.

--users      seeded accounts
--rate       requests a second of the frontends; of ramp, at its top
--seconds    how long
--gateways   gateways behind the balancer
--hash-cost  bcrypt's cost, 10 to 15
--measure    with frontend: processor time for each class of request, and what follows for 100,000 users
`

export interface LoadTestOptions extends Scenario {
  name: string
  measures: boolean
}

/**
 * Logins are measured at what they cost in production; other scenarios hash at the least there is.
 */
const productionHashCost = 12

const numbers = ['users', 'rate', 'seconds', 'gateways', 'hash-cost'] as const

/** @throws UsageError */
export function parseCommandLine(args: string[]): LoadTestOptions {
  const { values, positionals } = parse(args)
  if (values.help) throw new UsageError('What load tests there are:')
  const [given = 'smoke', ...more] = positionals
  if (more.length > 0) throw new UsageError(`too many words: ${more.join(' ')}`)
  const name = given.replace(/\.[jt]s$/, '')
  const scenario = scenarios[name]
  if (!scenario) throw new UsageError(`there is no scenario ${name}`)
  if (values.measure && name !== 'frontend') throw new UsageError('--measure belongs to frontend')
  const { 'hash-cost': asked, ...scale } = readNumbers(values)
  const hashCost = asked ?? (values.measure ? productionHashCost : undefined)
  return {
    ...scenario,
    ...scale,
    environment: { ...scenario.environment, ...(hashCost && { PASSWORD_HASH_COST: `${hashCost}` }) },
    name,
    measures: values.measure,
  }
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
        measure: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause })
  }
}
