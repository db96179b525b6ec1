import { Gauge, type Registry } from 'prom-client'
import type { Log } from '../../shared/lib/log.ts'
import type { Now } from '../../shared/lib/time.ts'
import { withTimeout } from '../../shared/lib/with-timeout.ts'
import type { PoolLoad } from './measured-sql.ts'
import type { SharedState } from './queries.ts'

interface StateOptions {
  registry: Registry
  poolLoad: () => PoolLoad
  /**
   * The queues of the threads that hash passwords, and of the one that estimates the strength of
   * new ones.
   */
  passwordQueues: () => Record<'hash' | 'strength', { length: number; limit: number }>
  /**
   * Whether Redis does its whole work for this process; undefined where none is configured, and
   * nothing is published.
   */
  isRedisUp: (() => boolean | Promise<boolean>) | undefined
  /** On connections that no request uses, so that a full pool is no lost database. */
  askDatabase: () => Promise<{ readOnly: boolean }>
  readShared: () => Promise<SharedState>
  log: Log
  now?: Now
}

/** The database is queried at most once in this time, at any number of scrapes. */
const reuseMs = 5000
const readTimeoutMs = 2000

/**
 * Gauges that are read at each scrape. Values from the database are the same at every origin: take
 * their maximum, not their sum. Without the database they are NaN, never outdated.
 */
export function createStateMetrics(options: StateOptions): void {
  const { registry, poolLoad, passwordQueues, isRedisUp, askDatabase, readShared, log } = options
  const { now = Date.now } = options
  const registers = [registry]
  let readAt = Number.NEGATIVE_INFINITY
  let read: Promise<SharedState | undefined> | undefined

  function shared(): Promise<SharedState | undefined> {
    if (!read || now() - readAt >= reuseMs) {
      readAt = now()
      read = withTimeout(readTimeoutMs, readShared()).catch((error) => {
        log.warn({ err: error }, 'state for the metrics not read')
        return undefined
      })
    }
    return read
  }

  function gauge(name: string, help: string, value: () => number | Promise<number>): void {
    new Gauge({
      name: `gatehouse_origin_${name}`,
      help,
      registers,
      async collect() {
        this.set(await value())
      },
    })
  }

  /** One series for each pair of `values`: the value of the label and the number. */
  function labeled(
    name: string,
    help: string,
    label: string,
    values: (state: SharedState) => [string, number][],
  ): void {
    new Gauge({
      name: `gatehouse_origin_${name}`,
      help,
      labelNames: [label],
      registers,
      async collect() {
        const state = await shared()
        this.reset()
        if (state) for (const [value, number] of values(state)) this.set({ [label]: value }, number)
      },
    })
  }

  function ofPools(name: string, help: string, member: 'length' | 'limit'): void {
    new Gauge({
      name: `gatehouse_origin_${name}`,
      help,
      labelNames: ['pool'],
      registers,
      collect() {
        for (const [pool, queue] of Object.entries(passwordQueues())) this.set({ pool }, queue[member])
      },
    })
  }

  const fromShared = (name: string, help: string, value: (state: SharedState) => number) =>
    gauge(name, help, async () => {
      const state = await shared()
      return state ? value(state) : Number.NaN
    })

  gauge('database_connections_max', 'Connections that the pool may have.', () => poolLoad().max)
  gauge('database_connections_in_use', 'Connections of the pool at work.', () => poolLoad().inUse)
  gauge('database_waiting', 'Queries and transactions that wait for a connection.', () => poolLoad().waiting)
  let asked: Promise<{ readOnly: boolean } | undefined> | undefined
  /** Shares one query between both gauges of a scrape and concurrent scrapes. */
  function database(): Promise<{ readOnly: boolean } | undefined> {
    asked ??= withTimeout(readTimeoutMs, askDatabase())
      .catch((error) => {
        log.warn({ err: error }, 'the database does not answer')
        return undefined
      })
      .finally(() => {
        asked = undefined
      })
    return asked
  }
  gauge('database_up', '1 where the database answered within 2 s.', async () => ((await database()) ? 1 : 0))
  gauge('database_read_only', '1 where the database takes no writes.', async () => {
    const answer = await database()
    return answer ? Number(answer.readOnly) : Number.NaN
  })

  ofPools('password_queue_length', 'Password tasks that wait for a thread, in both queues.', 'length')
  ofPools(
    'password_queue_limit',
    'Password tasks that may wait in each of the two queues; more are shed.',
    'limit',
  )

  fromShared(
    'locked_accounts',
    'Addresses at which unknown devices are locked out, with or without an account; counted to 10,000.',
    ({ lockedOutAddresses }) => lockedOutAddresses,
  )
  fromShared(
    'unverified_accounts',
    'Accounts whose address is not verified; counted to 10,000.',
    ({ unverifiedAccounts }) => unverifiedAccounts,
  )
  fromShared('mails_waiting', 'Mails to be handed over; counted to 10,000.', ({ mails }) => mails.waiting)
  fromShared(
    'mails_given_up',
    'Mails given up, which stay a month; counted to 10,000.',
    ({ mails }) => mails.givenUp,
  )
  fromShared(
    'oldest_mail_age_seconds',
    'Age of the oldest mail to be handed over.',
    ({ mails }) => mails.oldestAge,
  )
  fromShared(
    'reset_requests_waiting',
    'Requests for a reset or a verification link that are not answered yet; each counted to 10,000.',
    ({ resetRequests }) => resetRequests.waiting,
  )
  fromShared(
    'oldest_reset_request_age_seconds',
    'Age of the oldest request for a reset or a verification link that is not answered yet.',
    ({ resetRequests }) => resetRequests.oldestAge,
  )
  labeled('signing_keys', 'Signing keys, by state.', 'state', ({ keys }) =>
    keys.map(({ state, count }) => [state, count]),
  )
  labeled(
    'signing_key_age_seconds',
    'How long the oldest signing key of a state has been in it.',
    'state',
    ({ keys }) => keys.map(({ state, age }) => [state, age]),
  )
  labeled(
    'upkeep_success_age_seconds',
    'Since when the last run of a job that succeeded is over, whoever ran it; none for one that never did.',
    'task',
    ({ upkeep }) =>
      upkeep.flatMap(({ job, sinceSuccess }) => (sinceSuccess === null ? [] : [[job, sinceSuccess]])),
  )

  if (isRedisUp) {
    gauge('redis_up', '1 where Redis takes revocations and limits are counted there.', async () =>
      (await isRedisUp()) ? 1 : 0,
    )
    fromShared(
      'revocations_unpublished',
      'Revocations that the stream does not have yet; counted to 10,000.',
      ({ revocations }) => revocations.unpublished,
    )
    fromShared(
      'oldest_unpublished_revocation_age_seconds',
      'Age of the oldest revocation that the stream does not have yet.',
      ({ revocations }) => revocations.oldestAge,
    )
  }
}
