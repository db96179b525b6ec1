import { expect, test } from 'vitest'
import { createConsoleLog } from './log.ts'

function capture(level: 'debug' | 'info' | 'warn' | 'error' = 'info') {
  const lines: Record<string, unknown>[] = []
  return { log: createConsoleLog('gateway', level, (line) => lines.push(JSON.parse(line))), lines }
}

test('a line is JSON with level, time, service, fields and message', () => {
  const { log, lines } = capture()
  log.info({ status: 200 }, 'request')
  expect(lines).toEqual([
    {
      level: 'info',
      time: expect.stringMatching(/^\d{4}-.*Z$/),
      service: 'gateway',
      status: 200,
      msg: 'request',
    },
  ])
})

test('what is below the level is not written', () => {
  const { log, lines } = capture('warn')
  log.debug({}, 'a')
  log.info({}, 'b')
  log.warn({}, 'c')
  log.error({}, 'd')
  expect(lines.map(({ msg }) => msg)).toEqual(['c', 'd'])
})

test('an error is logged with its causes', () => {
  const { log, lines } = capture()
  log.warn({ err: new Error('outer', { cause: new TypeError('inner') }) }, 'failed')
  expect(lines[0]?.err).toMatchObject({ message: 'outer', cause: { type: 'TypeError', message: 'inner' } })
})

test('secrets that reach the log whole are not written', () => {
  const { log, lines } = capture()
  log.info({ token: 'S3cret', headers: { authorization: 'S3cret', cookie: 'S3cret', accept: 'x' } }, 'x')
  expect(JSON.stringify(lines)).not.toContain('S3cret')
  expect(lines[0]?.headers).toMatchObject({ accept: 'x' })
})
