import { check, sleep } from 'k6'
import exec from 'k6/execution'
import { Counter, Rate } from 'k6/metrics'
import { login, refresh, remember, visit } from '../client/frontend.ts'
import { rate, seconds } from '../client/load-test-environment.ts'
import { logFailure } from '../client/log-failure.ts'
import { type Summary, summarize } from '../client/summary.ts'

/**
 * Many machines guess at a few accounts, `--rate` guesses a second. Strangers are locked out of
 * them, even one who knows the password; the owners, whose devices have signed in before, log in
 * and refresh all the while.
 */

const victims = 5
/** Five guesses at each account are over by then, with time to spare. */
const lockedAfterSeconds = Math.ceil((victims * 5 * 3) / rate) + 5
/** Addresses of the attackers start here, above those of any user. */
const firstAttacker = 10_000_000
const deviceCookie = '__Host-gatehouse_device'
const password = __ENV.PASSWORD ?? ''

const ownersFailed = new Rate('owners_failed')
const breakIns = new Counter('break_ins')
const guessesShed = new Counter('guesses_shed')
const strangersLetIn = new Counter('strangers_let_in')

export const options = {
  setupTimeout: '2m',
  scenarios: {
    attackers: {
      executor: 'constant-arrival-rate',
      exec: 'guess',
      rate,
      duration: `${seconds}s`,
      preAllocatedVUs: 100,
    },
    owners: { executor: 'per-vu-iterations', exec: 'owner', vus: victims, iterations: 1, maxDuration: '30m' },
    strangers: {
      executor: 'constant-arrival-rate',
      exec: 'stranger',
      rate: 1,
      timeUnit: '2s',
      startTime: `${lockedAfterSeconds}s`,
      duration: `${Math.max(10, seconds - lockedAfterSeconds)}s`,
      preAllocatedVUs: 10,
    },
  },
  thresholds: {
    checks: ['rate==1'],
    owners_failed: ['rate==0'],
    break_ins: ['count==0'],
    guesses_shed: ['count>=0'],
    strangers_let_in: ['count==0'],
  },
}

export const handleSummary = (data: Summary) => summarize(data)

/**
 * Owners sign in once before the attack: from then on their devices are known.
 * @returns their device cookies
 */
export function setup(): string[] {
  return Array.from({ length: victims }, (_, number) => {
    const answer = login(visit(number), password)
    if (answer.status !== 200) throw new Error(`an owner's first login answered ${answer.status}`)
    return answer.cookies[deviceCookie]?.[0]?.value ?? ''
  })
}

const victim = () => visit(Math.floor(Math.random() * victims))

/** Another machine each time. */
const attacker = () => firstAttacker + exec.scenario.iterationInTest

export function guess() {
  const answer = login({ number: attacker(), email: victim().email }, `guess ${Math.random()}`)
  breakIns.add(answer.status === 200 ? 1 : 0)
  if (![401, 503].includes(answer.status)) logFailure('guess', answer)
  guessesShed.add(answer.status === 503 ? 1 : 0)
  check(answer, {
    'a guess is answered 401, or 503 where too many hash': ({ status }) => [401, 503].includes(status),
  })
}

export function stranger() {
  const answer = login({ number: attacker() + 1_000_000, email: victim().email }, password)
  strangersLetIn.add(answer.status === 200 ? 1 : 0)
  check(answer, {
    'a stranger is answered 401 even with the right password, or 503': ({ status }) =>
      [401, 503].includes(status),
  })
}

/** Each victim's owner, on the known device, for as long as the attack takes. */
export function owner(cookies: string[]) {
  const number = exec.scenario.iterationInTest
  const user = visit(number)
  const cookie = `${deviceCookie}=${cookies[number]}`
  const endsAt = Date.now() + seconds * 1000
  while (Date.now() < endsAt) {
    const answer = login(user, password, { cookie })
    ownersFailed.add(answer.status !== 200)
    if (answer.status !== 200) logFailure('an owner', answer)
    else {
      remember(user, answer)
      check(refresh(user), { 'a session of a locked account refreshes': ({ status }) => status === 200 })
    }
    sleep(2)
  }
}
