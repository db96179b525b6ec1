import { describe, expect, test } from 'vitest'
import { Problem } from '../../shared/http/errors.ts'
import { createErrorReporter } from '../../shared/http/report-error.ts'
import { RequestLifecycle } from '../../shared/http/request-lifecycle.ts'
import type { Awaitable } from '../../shared/lib/async.ts'
import { createCapturedLog } from '../../test/support/captured-log.ts'
import { openRow } from '../../test/support/gateway/gateway-harness.ts'
import { TransportError } from '../ports.ts'
import type { Admission } from './admission.ts'
import type { RequestInfo } from './decision-context.ts'
import { createRequestRunner, type RuntimeRequest } from './request-runner.ts'
import { toProblem } from './to-problem.ts'

const info = {} as RequestInfo

function createRun(decide: (admission: Admission) => Awaitable<Admission>) {
  const { log, lines } = createCapturedLog('gateway')
  /** Statuses that the admission was released with. */
  const released: number[] = []
  const admission = {
    decision: { row: openRow },
    release: (status: number) => released.push(status),
  } as unknown as Admission
  const runner = createRequestRunner({
    decide: () => decide(admission),
    reportError: createErrorReporter({ log, toProblem }),
  })
  const lifecycle = new RequestLifecycle({ log }, 'GET', '/open')
  lifecycle.begin({ requestId: undefined })

  /** Runs a request to its end, as a runtime does. @returns its status; undefined without one */
  async function run(overrides: Partial<RuntimeRequest<number>> = {}): Promise<number | undefined> {
    const status = await runner.run<number>({
      lifecycle,
      readInfo: () => info,
      hasLeft: () => false,
      isAnswered: () => false,
      forward: () => 200,
      reject: (problem) => problem.status,
      ...overrides,
    })
    lifecycle.end(status ?? 499)
    return status
  }
  return { run, released, lines, lifecycle }
}

const rateLimited = () => {
  throw new Problem('rate_limited')
}

const decisions = {
  'at once': <T>(work: () => T): Awaitable<T> => work(),
  later: async <T>(work: () => T): Promise<T> => work(),
}

describe.each(Object.entries(decisions))('decided %s', (_, decided) => {
  test('200: the admission is released once, with the status of the response', async () => {
    const { run, released, lifecycle } = createRun((admission) => decided(() => admission))
    expect(await run()).toBe(200)
    expect(released).toEqual([200])
    expect(lifecycle.route).toBe(openRow)
  })

  test('a rejected request is not forwarded, and logged once', async () => {
    const { run, released, lines } = createRun(() => decided(rateLimited))
    const forward = () => expect.unreachable()
    expect(await run({ forward })).toBe(429)
    expect(released).toEqual([])
    expect(lines.map(({ msg }) => msg)).toEqual(['request'])
  })

  test.each(Object.entries(decisions))(
    '502 upstream_unreachable: forwarding fails %s; the admission is released with it',
    async (_when, failing) => {
      const { run, released, lines } = createRun((admission) => decided(() => admission))
      const forward = () =>
        failing(() => {
          throw new TransportError('unreachable', new Error('connect ECONNREFUSED'))
        })
      expect(await run({ forward })).toBe(502)
      expect(released).toEqual([502])
      expect(lines.map(({ msg }) => msg)).toEqual(['request failed', 'request'])
    },
  )

  test('499: a client that leaves during the decision is not forwarded, and its tokens and slot are released', async () => {
    const { run, released } = createRun((admission) => decided(() => admission))
    const forward = () => expect.unreachable()
    expect(await run({ forward, hasLeft: () => true })).toBeUndefined()
    expect(released).toEqual([499])
  })

  test('a response that the server has sent already is not sent again', async () => {
    const { run, lines } = createRun(() => decided(rateLimited))
    const reject = () => expect.unreachable()
    expect(await run({ reject, isAnswered: () => true })).toBeUndefined()
    expect(lines.map(({ msg }) => msg)).toEqual(['request'])
  })
})

test('a head that cannot be read is rejected like a request', async () => {
  const { run } = createRun((admission) => admission)
  const readInfo = () => {
    throw new Problem('too_many_fields')
  }
  expect(await run({ readInfo })).toBe(431)
})
