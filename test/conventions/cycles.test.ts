import { describe, expect, test } from 'vitest'
import { fileOf, findCycles, folderOf } from '../support/source/import-cycles.ts'
import { readImports } from '../support/source/read-imports.ts'

const imports = await readImports()

describe('imports have no cycles, those of types among them', () => {
  test('between files', () => {
    expect(findCycles(imports, fileOf)).toEqual([])
  })

  test('between folders', () => {
    expect(findCycles(imports, folderOf)).toEqual([])
  })
})

describe('the search for cycles', () => {
  const chain = [
    { from: 'origin/a/one.ts', to: 'origin/b/one.ts' },
    { from: 'origin/b/one.ts', to: 'origin/c/one.ts' },
    { from: 'origin/d/one.ts', to: 'origin/a/one.ts' },
  ]

  test('finds none in a chain, nor in what two files share', () => {
    expect(findCycles([...chain, { from: 'origin/a/one.ts', to: 'origin/c/one.ts' }], fileOf)).toEqual([])
  })

  test('finds a ring, and leaves out what only leads there', () => {
    expect(findCycles([...chain, { from: 'origin/c/one.ts', to: 'origin/a/one.ts' }], fileOf)).toEqual([
      [
        'origin/a/one.ts -> origin/b/one.ts',
        'origin/b/one.ts -> origin/c/one.ts',
        'origin/c/one.ts -> origin/a/one.ts',
      ],
    ])
  })

  test('finds a ring of folders where none of files is', () => {
    const imports = [...chain, { from: 'origin/c/two.ts', to: 'origin/a/one.ts' }]
    expect(findCycles(imports, fileOf)).toEqual([])
    expect(findCycles(imports, folderOf)).toHaveLength(1)
  })

  test('finds a file that imports itself', () => {
    expect(findCycles([{ from: 'origin/a/one.ts', to: 'origin/a/one.ts' }], fileOf)).toHaveLength(1)
  })

  test('counts files of a root folder as nodes of their own', () => {
    const imports = [
      { from: 'origin/app.ts', to: 'origin/a/one.ts' },
      { from: 'origin/a/one.ts', to: 'origin/config.ts' },
    ]
    expect(findCycles(imports, folderOf)).toEqual([])
  })
})
