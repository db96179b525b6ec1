import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { describe, expect, test } from 'vitest'
import { type Import, readImports } from '../support/source/read-imports.ts'

const imports = await readImports()
const offenders = (isOffence: (found: Import) => boolean) =>
  imports.filter(isOffence).map(({ from, to }) => `${from} -> ${to}`)
const isFrom = (folder: string) => (found: Import) => found.from.startsWith(folder)

/** The packages that run on every runtime the gateway does. */
const anywhere = /^(hono(\/.*)?|jose|zod|zod-openapi|ipaddr\.js|yaml)$/

const isCore = (file: string) =>
  (file.startsWith('gateway/') && !file.startsWith('gateway/adapters/')) ||
  (file.startsWith('shared/') && !file.startsWith('shared/node/'))

/** Routes of the origin; `gateway/routes.ts` is the policy table. */
const isRoute = (file: string) => /^origin\/.*(\/|-)routes\.ts$/.test(file)
const isCompositionRoot = (file: string) => /\/(app|gateway|origin|main)\.ts$/.test(file)

/** A service is a file that runs transactions, not only one named so. */
const isService = (file: string) =>
  /^origin\/.*(\/|-)service\.ts$/.test(file) ||
  (/^origin\/.*\.ts$/.test(file) && readFileSync(file, 'utf8').includes('sql.begin('))

describe('imports run one way', () => {
  test('the reader of imports sees them', () => {
    expect(imports.length).toBeGreaterThan(100)
  })

  test('gateway and origin never import each other', () => {
    expect(offenders((found) => isFrom('gateway/')(found) && found.to.startsWith('origin/'))).toEqual([])
    expect(offenders((found) => isFrom('origin/')(found) && found.to.startsWith('gateway/'))).toEqual([])
  })

  test('shared imports shared alone, of ours', () => {
    const isOurs = ({ to }: Import) => /^(gateway|origin|examples|dev|test|tools)\//.test(to)
    expect(offenders((found) => isFrom('shared/')(found) && isOurs(found))).toEqual([])
  })

  test('the core, which is the gateway outside its adapters and what it shares, imports the core and what runs anywhere', () => {
    expect(offenders(({ from, to }) => isCore(from) && !isCore(to) && !anywhere.test(to))).toEqual([])
  })

  test('the core never names process or Buffer', async () => {
    const naming: string[] = []
    for await (const file of glob('{gateway,shared}/**/*.ts')) {
      if (file.endsWith('.test.ts') || !isCore(file)) continue
      if (/(?<![.\w])(process|Buffer)\b\s*[.([?]/.test(readFileSync(file, 'utf8'))) naming.push(file)
    }
    expect(naming).toEqual([])
  })

  test('one function reads the issues of schemas', async () => {
    const reading: string[] = []
    for await (const file of glob('{gateway,origin,shared,examples}/**/*.ts')) {
      if (file.endsWith('.test.ts')) continue
      if (
        /\b(error|result)\??\.issues\b|prettifyError|treeifyError|flattenError/.test(
          readFileSync(file, 'utf8'),
        )
      )
        reading.push(file)
    }
    expect(reading).toEqual([])
  })

  test('the test of what a service is finds those with and without the name', () => {
    const services = [...new Set(imports.map(({ from }) => from))].filter(isService)
    expect(services).toEqual(
      expect.arrayContaining([
        'origin/sessions/service.ts',
        'origin/admin/user-service.ts',
        'origin/oauth/clients/clients.ts',
        'origin/subscriptions/billing.ts',
      ]),
    )
  })

  test('rules and queries import no service, no route and no app', () => {
    const isLow = ({ from }: Import) => /(\/|-)(rules|queries)\.ts$/.test(from)
    expect(
      offenders(
        (found) => isLow(found) && (isService(found.to) || isRoute(found.to) || isCompositionRoot(found.to)),
      ),
    ).toEqual([])
  })

  test('services import no route and no app', () => {
    expect(offenders(({ from, to }) => isService(from) && (isRoute(to) || isCompositionRoot(to)))).toEqual([])
  })

  test('only apps import routes of the origin, so no route imports another', () => {
    expect(offenders(({ from, to }) => isRoute(to) && !from.endsWith('/app.ts'))).toEqual([])
  })

  test('nothing imports a main', () => {
    expect(offenders(({ to }) => to.endsWith('/main.ts'))).toEqual([])
  })
})
