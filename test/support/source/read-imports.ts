import { readFileSync } from 'node:fs'
import { glob } from 'node:fs/promises'
import { dirname, join } from 'node:path'

export interface Import {
  from: string
  /** The path of a file of the repository, or a package's name. */
  to: string
}

const statement = /^(?:import|export)\s[^'"]*?from\s'([^']+)'|^import\s'([^']+)'|\bimport\('([^']+)'\)/gm

/** The imports of every source file but the tests, those of types among them. */
export async function readImports(): Promise<Import[]> {
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
