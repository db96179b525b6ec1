import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { builtinModules } from 'node:module'
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

/** What only Node has, and what opens sockets by it. */
const nodeOnly = new Set([
  ...builtinModules,
  'undici',
  'ioredis',
  'rate-limiter-flexible',
  'pino',
  'postgres',
  'piscina',
  '@hono/node-server',
])
const isNodeOnly = (to: string) => to.startsWith('node:') || nodeOnly.has(to) || to.startsWith('shared/node/')

describe('imports run one way', () => {
  test('the reader of imports sees them', () => {
    expect(imports.length).toBeGreaterThan(100)
  })

  test('gateway and origin never import each other', () => {
    expect(offenders((found) => isFrom('gateway/')(found) && found.to.startsWith('origin/'))).toEqual([])
    expect(offenders((found) => isFrom('origin/')(found) && found.to.startsWith('gateway/'))).toEqual([])
  })

  test('shared imports neither of them', () => {
    expect(
      offenders((found) => isFrom('shared/')(found) && /^(gateway|origin|examples)\//.test(found.to)),
    ).toEqual([])
  })

  test('the gateway outside its adapters, and what it shares, has nothing of Node', () => {
    const isCore = ({ from }: Import) =>
      (from.startsWith('gateway/') && !from.startsWith('gateway/adapters/')) ||
      (from.startsWith('shared/') && !from.startsWith('shared/node/'))
    expect(offenders((found) => isCore(found) && isNodeOnly(found.to))).toEqual([])
  })

  test('the gateway outside its adapters never names process or Buffer', async () => {
    const naming: string[] = []
    for await (const file of glob('gateway/**/*.ts', { exclude: ['gateway/adapters/**'] })) {
      if (!file.endsWith('.test.ts') && /(?<![.\w])(process|Buffer)\b[.(]/.test(readFileSync(file, 'utf8')))
        naming.push(file)
    }
    expect(naming).toEqual([])
  })

  test('rules and queries import no service, no route and no app', () => {
    const isLow = ({ from }: Import) => /\/(rules|queries)\.ts$/.test(from)
    expect(
      offenders((found) => isLow(found) && /\/(service|routes|app|build|main)\.ts$/.test(found.to)),
    ).toEqual([])
  })

  test('services import no route and no app', () => {
    const isService = ({ from }: Import) => from.endsWith('/service.ts')
    expect(offenders((found) => isService(found) && /\/(routes|app|build|main)\.ts$/.test(found.to))).toEqual(
      [],
    )
  })

  test('nothing imports a main', () => {
    expect(offenders(({ to }) => to.endsWith('/main.ts'))).toEqual([])
  })
})
