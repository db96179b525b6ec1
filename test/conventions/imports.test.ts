import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'

interface Import {
  from: string
  /** A file of ours by its path, or a package's name. */
  to: string
}

const statement = /^(?:import|export)\s[^'"]*?from\s'([^']+)'|^import\s'([^']+)'|\bimport\('([^']+)'\)/gm

async function readImports(): Promise<Import[]> {
  const imports: Import[] = []
  for await (const from of glob('{shared,gateway,origin,examples}/**/*.ts')) {
    if (from.endsWith('.test.ts')) continue
    for (const [, ...specifiers] of readFileSync(from, 'utf8').matchAll(statement)) {
      const specifier = specifiers.find((found) => found !== undefined) ?? ''
      imports.push({
        from,
        to: specifier.startsWith('.') ? join(dirname(from), specifier) : specifier,
      })
    }
  }
  return imports
}

const imports = await readImports()
const offenders = (isOffence: (found: Import) => boolean) =>
  imports.filter(isOffence).map(({ from, to }) => `${from} -> ${to}`)
const isFrom = (folder: string) => (found: Import) => found.from.startsWith(folder)

/** The packages that run on every runtime the gateway does. */
const anywhere = /^(hono(\/.*)?|jose|zod|zod-openapi|ipaddr\.js|yaml)$/

const isCore = (file: string) =>
  (file.startsWith('gateway/') && !file.startsWith('gateway/adapters/')) ||
  (file.startsWith('shared/') && !file.startsWith('shared/node/'))

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

  test('rules and queries import no service, no route and no app', () => {
    const isLow = ({ from }: Import) => /(\/|-)(rules|queries)\.ts$/.test(from)
    expect(
      offenders((found) => isLow(found) && /\/(service|routes|app|gateway|origin|main)\.ts$/.test(found.to)),
    ).toEqual([])
  })

  test('services import no route and no app', () => {
    const isService = ({ from }: Import) => from.endsWith('/service.ts')
    expect(
      offenders((found) => isService(found) && /\/(routes|app|gateway|origin|main)\.ts$/.test(found.to)),
    ).toEqual([])
  })

  test('nothing imports a main', () => {
    expect(offenders(({ to }) => to.endsWith('/main.ts'))).toEqual([])
  })
})
