import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Figures } from './constant-rate.ts'
import type { GeneratorReport, GeneratorRun, GeneratorUsers } from './generator-process.ts'

export interface Generator {
  pid: number
  /**
   * Starts a run. `measuring` resolves when its ramp is over, `over` when the last response is
   * there.
   */
  run(options: Omit<GeneratorRun, 'kind'> & { onSecond?: (second: Figures) => void }): {
    measuring: Promise<void>
    over: Promise<Figures>
  }
  stop(): Promise<void>
}

const entry = fileURLToPath(new URL('generator-process.ts', import.meta.url))

export async function startGenerator(users: Omit<GeneratorUsers, 'kind'>): Promise<Generator> {
  const child = fork(entry)
  const exited = once(child, 'exit')

  /** @throws Error where the generator ends instead */
  async function next<Kind extends GeneratorReport['kind']>(kind: Kind) {
    return new Promise<Extract<GeneratorReport, { kind: Kind }>>((resolve, reject) => {
      function onMessage(message: GeneratorReport) {
        if (message.kind !== kind) return
        child.off('message', onMessage)
        child.off('exit', onExit)
        resolve(message as Extract<GeneratorReport, { kind: Kind }>)
      }
      function onExit(code: number | null) {
        reject(new Error(`The generator ended with ${code}, for the reason above.`))
      }
      child.on('message', onMessage)
      child.once('exit', onExit)
    })
  }

  child.send({ kind: 'users', ...users })
  await next('users')
  return {
    pid: child.pid as number,
    run({ onSecond = () => {}, ...scale }) {
      const measuring = next('measuring')
      const over = next('over')
      const onMessage = (message: GeneratorReport) => {
        if (message.kind === 'second') onSecond(message)
      }
      child.on('message', onMessage)
      child.send({ kind: 'run', ...scale })
      return {
        measuring: measuring.then(() => {}),
        over: over.finally(() => child.off('message', onMessage)),
      }
    },
    async stop() {
      if (child.exitCode === null) child.disconnect()
      await exited
    },
  }
}
