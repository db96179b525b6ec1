import { globSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const sources = globSync('{gateway,origin,shared}/**/*.ts', {
  exclude: (path) => path.endsWith('.test.ts'),
}).map((path) => ({ path, text: readFileSync(path, 'utf8') }))

const pathsOf = (found: typeof sources) => found.map(({ path }) => path)

test('the discriminant of every tagged union is `kind`', () => {
  expect(sources.length).toBeGreaterThan(200)
  const tagged = /[|=] \{ (outcome|result|type|status): '[a-z_]+'/
  expect(pathsOf(sources.filter(({ text }) => tagged.test(text)))).toEqual([])
})

/** Services run transactions. Middleware whose name ends in -service answers requests itself. */
const services = sources.filter(
  ({ path, text }) =>
    path.startsWith('origin/') &&
    (/(\/|-)service\.ts$/.test(path) || text.includes('sql.begin(')) &&
    !text.includes('createMiddleware'),
)

test('a service returns its outcome, and its route makes the Problem', () => {
  expect(pathsOf(services)).toEqual(
    expect.arrayContaining(['origin/sessions/service.ts', 'origin/accounts/verification.ts']),
  )
  expect(pathsOf(services.filter(({ text }) => text.includes('new Problem(')))).toEqual([])
})
