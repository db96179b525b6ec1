import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { type ErrorCode, errors } from '../../shared/http/errors.ts'

const source = readFileSync('gateway/decision/decide.ts', 'utf8')
const [, list = ''] = /const steps: [^=]*= \[\n([^\]]*)\]/.exec(source) ?? []
const steps = list
  .trim()
  .split('\n')
  .map((line) => line.trim())

/** The steps that a text names, in its order. */
const namedIn = (text: string) => {
  const names = steps.map((step) => step.slice(0, step.indexOf(',')))
  return [...text.matchAll(/\b[a-z]+[A-Z]\w+/g)].map(([name]) => name).filter((name) => names.includes(name))
}

test('decide.ts lists its steps, one a line', () => {
  expect(steps.length).toBeGreaterThan(10)
  for (const step of steps) expect(step).toMatch(/^[a-z][A-Za-z]+,( \/\/ .+)?$/)
})

test('the comment of each step has the statuses of its codes', () => {
  const codes = steps.flatMap((step) => {
    let status = Number.NaN
    return [...(step.split('//')[1] ?? '').matchAll(/(\d{3} )?([a-z]+(?:_[a-z]+)*)/g)].map(
      ([, given, code]) => {
        status = given === undefined ? status : Number(given)
        return { code, status }
      },
    )
  })
  expect(codes.length).toBeGreaterThan(10)
  for (const { code, status } of codes)
    expect({ code, status: errors[code as ErrorCode]?.status }).toEqual({ code, status })
})

test('the architecture page has the steps in running order', () => {
  const [, picture = ''] =
    /## The way of a request\n.*?```\n(.*?)```/s.exec(readFileSync('docs/architecture.md', 'utf8')) ?? []
  expect(namedIn(picture)).toEqual(namedIn(list))
})
