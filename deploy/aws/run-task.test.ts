import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'

interface Task {
  lastStatus: string
  stoppedReason?: string
  containers: { name: string; exitCode?: number; reason?: string }[]
}

interface Command {
  name: string
  input: { clientToken?: string; taskDefinition?: string; tasks?: string[] }
}

/** The functions with ECS as its API describes it: one task for each client token. */
function load(task: () => Task | undefined) {
  const started = new Map<string, string>()
  const commands: Command[] = []
  class ECSClient {
    async send(command: Command) {
      commands.push(command)
      if (command.name === 'DescribeTasks') return { tasks: [task()].filter((each) => each !== undefined) }
      const token = command.input.clientToken ?? ''
      if (!started.has(token)) started.set(token, `task-${started.size + 1}`)
      return { tasks: [{ taskArn: started.get(token) }] }
    }
  }
  const commandOf = (name: string) =>
    class {
      readonly name = name
      readonly input: unknown
      constructor(input: unknown) {
        this.input = input
      }
    }
  const modules: Record<string, unknown> = {
    'node:crypto': process.getBuiltinModule('node:crypto'),
    '@aws-sdk/client-ecs': {
      ECSClient,
      DescribeTasksCommand: commandOf('DescribeTasks'),
      RunTaskCommand: commandOf('RunTask'),
    },
  }
  const code = readFileSync(new URL('run-task.cjs', import.meta.url), 'utf8')
  const exports: Record<string, (event: object) => Promise<Record<string, unknown>>> = {}
  const scope = { env: { TASK: 'smoke', CLUSTER: 'gatehouse' }, stderr: { write: () => true } }
  new Function('require', 'exports', 'process', code)((name: string) => modules[name], exports, scope)
  const call = (handler: string, event: object) =>
    exports[handler]?.(event) ?? Promise.reject(new Error(`There is no handler ${handler}`))
  return { call, started, commands }
}

const running: Task = { lastStatus: 'RUNNING', containers: [{ name: 'smoke' }] }
const ended = (...codes: number[]): Task => ({
  lastStatus: 'STOPPED',
  stoppedReason: 'Essential container in task exited',
  containers: codes.map((exitCode, index) => ({ name: `container-${index}`, exitCode })),
})

describe('the gate of a release', () => {
  const event = { executionDetails: { targetServiceRevisionArn: 'revision-7' } }

  test('runs the smoke test once, however often it is asked, and opens when that succeeded', async () => {
    // ECS is eventually consistent: a new task is not visible at once.
    let now: Task | undefined
    const { call, started } = load(() => now)
    expect(await call('gate', event)).toMatchObject({ hookStatus: 'IN_PROGRESS' })
    now = running
    expect(await call('gate', event)).toMatchObject({ hookStatus: 'IN_PROGRESS' })
    now = ended(0)
    expect(await call('gate', event)).toEqual({ hookStatus: 'SUCCEEDED' })
    expect(started.size).toBe(1)
  })

  test('stays closed where the smoke test fails, or nobody says what is released', async () => {
    const { call } = load(() => ended(99))
    expect(await call('gate', event)).toEqual({ hookStatus: 'FAILED' })
    expect(await call('gate', {})).toEqual({ hookStatus: 'FAILED' })
  })

  test('runs it again for the next release', async () => {
    const { call, started } = load(() => ended(0))
    await call('gate', event)
    await call('gate', { targetServiceRevisionArn: 'revision-8' })
    expect(started.size).toBe(2)
  })
})

describe('the migration of a deployment', () => {
  const event = {
    RequestType: 'Update',
    RequestId: 'request-1',
    ResourceProperties: { taskDefinition: 'prepare:7' },
  }

  test('starts the task of this release, and again where CloudFormation asks again', async () => {
    const { call, started, commands } = load(() => running)
    const first = await call('start', event)
    expect(first).toEqual({ PhysicalResourceId: 'prepare:7', Data: { task: 'task-1' } })
    await call('start', { ...event, RequestId: 'request-2' })
    expect(started.size).toBe(2)
    expect(commands[0]?.input).toMatchObject({ taskDefinition: 'prepare:7' })
  })

  test('is over when each container ended with 0', async () => {
    let now = running
    const { call } = load(() => now)
    const ask = () => call('isComplete', { ...event, Data: { task: 'task-1' } })
    expect(await ask()).toEqual({ IsComplete: false })
    now = ended(0, 0)
    expect(await ask()).toEqual({ IsComplete: true })
  })

  test('fails with the container that failed', async () => {
    const { call } = load(() => ended(1, 0))
    await expect(call('isComplete', { ...event, Data: { task: 'task-1' } })).rejects.toThrow(
      'container-0: code 1',
    )
  })

  test('starts nothing when the stack goes', async () => {
    const { call, started } = load(() => running)
    expect(await call('start', { ...event, RequestType: 'Delete', PhysicalResourceId: 'x' })).toEqual({
      PhysicalResourceId: 'x',
    })
    expect(await call('isComplete', { ...event, RequestType: 'Delete' })).toEqual({ IsComplete: true })
    expect(started.size).toBe(0)
  })
})
