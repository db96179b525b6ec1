import { setTimeout as sleep } from 'node:timers/promises'
import { checkHistory, type Rules } from '../checker/check-history.ts'
import type { Violation } from '../checker/violation.ts'
import { type Call, createCall } from '../clients/call.ts'
import { createSlot, type Slot } from '../clients/slot.ts'
import { readDatabaseState } from '../environment/database-work.ts'
import { type Environment, originSettings, startEnvironment } from '../environment/environment.ts'
import type { History } from '../history.ts'
import { type Nemesis, startNemesis } from '../nemesis/nemesis.ts'
import { createRandom } from '../random.ts'
import { createRecorder, type Recorder } from '../recorder.ts'
import { watchMachine } from './busy-machine.ts'

export interface DrillOptions {
  seed: number
  /** How long clients work, and the nemesis makes faults. */
  seconds: number
  clients?: number
  /** Clients stop after so many operations. */
  maxOperations?: number
  /** False leaves the services in peace. */
  makesFaults?: boolean
  /** A file that each origin loads before its own, to replace a part of it. */
  originPreload?: string
  /** The file that receives the history. */
  historyFile: string
  /** Ends the drill when it aborts, with a verdict on what was recorded until then. */
  signal?: AbortSignal
  say?: (line: string) => void
}

export interface DrillResult {
  history: History
  violations: Violation[]
}

/**
 * A claim of an origin that was killed during a login holds one of the account's attempts for
 * 60 s, and a lockout lasts shorter.
 */
const livenessMs = 75_000
const retryMs = 300

/** The bound of docs/revocation.md is 5 s; a loaded machine adds to it. */
export const rules: Rules = {
  reuse: { graceSeconds: originSettings.graceSeconds, lateReplays: originSettings.lateReplays },
  lockout: {
    tries: originSettings.lockoutTries,
    windowSeconds: originSettings.lockoutSeconds,
    lockoutSeconds: originSettings.lockoutSeconds,
  },
  revocation: { boundMs: 6000, settleMs: 5000 },
}

/** Runs clients against Gatehouse while its parts fail, and checks what the clients observed. */
export async function runDrill(options: DrillOptions): Promise<DrillResult> {
  const { seed, seconds, clients: clientCount = 10, maxOperations = Number.POSITIVE_INFINITY } = options
  const { makesFaults = true, signal = new AbortController().signal, say = () => {} } = options
  const random = createRandom(seed)
  const recorder = createRecorder(options.historyFile)
  const environment = await startEnvironment({
    originPreload: options.originPreload,
    onCrash: (service, lastLines) =>
      recorder.record({ event: 'crashed', service, at: performance.now(), lastLines }),
  })
  const call = createCall({
    ports: environment.gateways.map(({ clientLink }) => clientLink.port),
    prefix: `drill-${seed}`,
    recorder,
  })
  const machine = watchMachine({ recorder, gateways: environment.gateways.map((_, index) => index) })
  try {
    say(`started; seed ${seed}`)
    const endsAt = performance.now() + seconds * 1000
    let operations = 0
    const counted: Call = Object.assign(
      (...given: Parameters<Call>) => {
        operations++
        return call(...given)
      },
      { close: call.close },
    )
    let nemesis: Nemesis | undefined
    const isOver = () =>
      signal.aborted ||
      performance.now() > endsAt ||
      operations >= maxOperations ||
      nemesis?.hasFailed() === true
    const slots = Array.from({ length: clientCount }, (_, number) =>
      createSlot({
        number,
        call: counted,
        gateways: environment.gateways.length,
        random: random.fork(),
        isOver,
      }),
    )
    nemesis = makesFaults ? startNemesis({ environment, random: random.fork(), recorder, say }) : undefined
    const working = Promise.all(slots.map((slot) => slot.run()))
    while (!isOver()) await sleep(100)
    await Promise.all([nemesis?.stop(), working]).catch(async (error) => {
      // Clients write to the history until they have ended.
      await Promise.allSettled([working])
      throw error
    })
    say('all faults have ended')
    await verifyEnd({ environment, slots, recorder, signal })
    recorder.record({ event: 'deliveries', counts: environment.orders.counts })
    recorder.record({ event: 'database', ...(await readDatabaseState(environment.databaseUrl())) })
  } finally {
    machine.stop()
    call.close()
    recorder.close()
    await environment.close()
  }
  const history = recorder.history()
  return { history, violations: checkHistory(history, rules) }
}

interface EndOptions {
  environment: Environment
  slots: readonly Slot[]
  recorder: Recorder
  signal: AbortSignal
}

/**
 * All services are ready, then each account is served, within the bound; and no ended session is
 * served. An interrupted drill records nothing of it.
 */
async function verifyEnd({ environment, slots, recorder, signal }: EndOptions): Promise<void> {
  const isSoonTrue = async (holds: () => Promise<boolean>) => {
    const deadline = performance.now() + livenessMs
    while (performance.now() < deadline && !signal.aborted) {
      if (await holds()) return true
      await sleep(retryMs)
    }
    return false
  }
  const isReady = await isSoonTrue(environment.isReady)
  const accounts: string[] = []
  await Promise.all(
    slots.map((slot) =>
      slot.visitAll(async ({ email, isServed }) => {
        if (!isReady || !(await isSoonTrue(isServed))) accounts.push(email)
      }),
    ),
  )
  if (signal.aborted) return
  recorder.record({ event: 'unserved', accounts })
  await sleep(rules.revocation.boundMs, undefined, { signal }).catch(() => {})
  if (signal.aborted) return
  await Promise.all(slots.map((slot) => slot.visitAll((client) => client.tryEndedSessions())))
}
