import { addressKey } from '../../shared/http/address-key.ts'
import { deviceCookie } from '../../shared/http/headers.ts'
import type { OverLimit } from '../../shared/http/over-limit.ts'
import type { Eventually } from '../../shared/lib/async.ts'
import { createTurns } from '../lib/turns.ts'
import type { Route } from '../policy/policy.ts'
import { type Counted, RateLimited } from './limiter.ts'

/** Requests over a limit that one address may have in progress at the origin, and how many more wait for one of those to end. */
const ofOneAddress = { inProgress: 8, waiting: 50 }

/** A request over its limits that the origin decides about. */
export interface ForwardedOverLimit {
  refusal: RateLimited
  /** For the origin, which answers with it what is not genuine. */
  mark: OverLimit
}

/** A request that is within its limits, or goes on over them. */
export interface CountedOrOver extends Counted {
  over?: ForwardedOverLimit | undefined
}

/** Has requests of one address that are over its limits take turns at the origin. */
export function createTakeTurns() {
  const turns = createTurns(ofOneAddress)

  /** A turn is taken when the body is in: who sends one slowly takes none from others. */
  return function takeTurns(address: string, ended: (status: number) => void) {
    const caller = addressKey(address)
    let isEnded = false
    let hasTurn = false
    return {
      async turn(): Promise<void> {
        await turns.enter(caller)
        if (isEnded) turns.leave(caller)
        else hasTurn = true
      },
      ended(status: number): void {
        isEnded = true
        if (hasTurn) turns.leave(caller)
        ended(status)
      },
    }
  }
}

/** One of our own cookies; whether it is genuine is for the origin to say. */
const hasDeviceCookie = (cookie: string | undefined) =>
  cookie?.split(';').some((pair) => pair.trimStart().startsWith(`${deviceCookie}=`)) === true

/** Whether a request that is over its limits goes on. */
export function goesOnOverLimit({ over_limit }: Route, cookie: string | undefined): boolean {
  return over_limit === 'forward' || (over_limit === 'forward_known_device' && hasDeviceCookie(cookie))
}

/** Counts, and lets go on what is over. @throws what `count` does but RateLimited, at once or later */
export function letGoOn(count: () => Eventually<Counted>): Eventually<CountedOrOver> {
  try {
    const counted = count()
    return counted instanceof Promise ? counted.catch(goOn) : counted
  } catch (error) {
    return goOn(error)
  }
}

function goOn(error: unknown): CountedOrOver {
  if (!(error instanceof RateLimited)) throw error
  const { over, fields, retryAfterSeconds } = error
  return {
    fields,
    settle: undefined,
    over: {
      refusal: error,
      mark: { policies: over.map(({ name }) => name), retryAfterSeconds },
    },
  }
}
