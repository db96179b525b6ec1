import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'

const read = (path: string) => readFileSync(path, 'utf8')
const records = globSync('docs/adr/0*.md').toSorted()

/** Folders that commands make. */
const isMade = /^(\.cache|node_modules)\//

describe('project pages', () => {
  test.each(['CONTRIBUTING.md', 'SECURITY.md', ...records])('%s names files that exist', (page) => {
    const named = [...read(page).matchAll(/`((?:[\w.-]+\/)+[\w.*-]*)`/g)].map(([, path = '']) => path)
    const exists = (path: string) => path.includes('*') || isMade.test(path) || existsSync(path)
    expect(named.filter((path) => !exists(path))).toEqual([])
  })
})

test('a folder holds at most 16 source files', () => {
  const folders = globSync('{gateway,origin,shared,bench,deploy,dev,k6,test,tools}/**/*.ts', {
    exclude: ['**/node_modules/**'],
  })
    .filter((path) => !path.endsWith('.test.ts'))
    .map((path) => dirname(path))
  const counts = Object.entries(Object.groupBy(folders, (folder) => folder))
  expect(counts.length).toBeGreaterThan(30)
  expect(counts.filter(([, files = []]) => files.length > 16).map(([folder]) => folder)).toEqual([])
})

test('fixtures of tests stand outside the folders of the product', () => {
  expect(globSync('{gateway,origin,shared}/**/{test-*,*-fixture,*.fixture}.{ts,js,mjs}')).toEqual([])
})

test('examples need the versions of packages that the root has', () => {
  const root = JSON.parse(read('package.json'))
  const known = { ...root.dependencies, ...root.devDependencies }
  const needed = globSync('examples/*/package.json').map((path) => ({
    path,
    versions: (JSON.parse(read(path)).dependencies ?? {}) as Record<string, string>,
  }))
  expect(needed.some(({ versions }) => Object.keys(versions).length > 0)).toBe(true)
  for (const { path, versions } of needed)
    for (const [name, version] of Object.entries(versions))
      expect({ path, name, version }).toEqual({ path, name, version: known[name] })
})

describe('decision records', () => {
  test('are numbered without a gap, and all are in the index', () => {
    const index = read('docs/adr/README.md')
    expect(records.length).toBeGreaterThan(7)
    for (const [position, record] of records.entries()) {
      const name = record.slice('docs/adr/'.length)
      expect(name).toMatch(new RegExp(`^${String(position + 1).padStart(4, '0')}-[a-z-]+\\.md$`))
      expect(index).toContain(`(${name})`)
    }
  })

  test.each(records)('%s has its parts, a command for its figures, and fits on a page', (record) => {
    const text = read(record)
    expect([...text.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading)).toEqual([
      'Context',
      'Decision',
      'Figures',
      'What would change it',
    ])
    expect(text).toMatch(/^Status: /m)
    expect(text).toMatch(/`npm (run|test)/)
    expect(text.split('\n').length).toBeLessThanOrEqual(60)
  })
})

test.each(['gateway', 'origin'])('the image of the %s runs what its npm script does', (service) => {
  const { scripts } = JSON.parse(read('package.json'))
  const [, stage = ''] = read('Dockerfile').split(`FROM service AS ${service}\n`)
  const command = /^CMD (\[.*\])$/m.exec(stage)?.[1] ?? ''
  const cache = /^ENV NODE_COMPILE_CACHE=\/app\/(\S+)$/m.exec(stage)?.[1]
  expect(`NODE_COMPILE_CACHE=${cache} exec ${JSON.parse(command).join(' ')}`).toBe(scripts[service])
})

describe('.github/dependabot.yml', () => {
  interface Update {
    'package-ecosystem': string
    directory?: string
    directories?: string[]
    groups?: Record<string, unknown>
  }
  const { updates } = parse(read('.github/dependabot.yml')) as { updates: Update[] }
  const manifests: Record<string, string> = {
    npm: 'package-lock.json',
    'github-actions': '.github/workflows',
    docker: 'Dockerfile',
    'docker-compose': 'docker-compose.yml',
  }

  test('groups updates of every ecosystem, in folders that have a manifest', () => {
    expect(updates.map((update) => update['package-ecosystem']).toSorted()).toEqual(
      Object.keys(manifests).toSorted(),
    )
    for (const { 'package-ecosystem': ecosystem, directory, directories = [], groups = {} } of updates) {
      expect(Object.keys(groups)).not.toEqual([])
      for (const folder of directory === undefined ? directories : [directory])
        expect({ folder, hasManifest: existsSync(`.${folder}/${manifests[ecosystem]}`) }).toMatchObject({
          hasManifest: true,
        })
    }
  })

  test('leaves out no lock file of npm', () => {
    const folders = globSync('{.,bench,test,examples,packages}/**/package-lock.json', {
      exclude: ['**/node_modules/**'],
    }).map((path) => `/${path}`.replace(/\/(\.\/)?package-lock\.json$/, '') || '/')
    const npm = updates.find((update) => update['package-ecosystem'] === 'npm')
    expect(npm?.directories?.toSorted()).toEqual([...new Set(folders)].toSorted())
  })
})
