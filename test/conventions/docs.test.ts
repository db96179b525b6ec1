import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { compilePolicy } from '../../gateway/policy/policy.ts'
import { readPolicyFile } from '../../gateway/policy/policy-file.ts'
import { routes } from '../../gateway/routes.ts'

const pages = globSync(['*.md', 'docs/**/*.md', 'k6/README.md', 'bench/README.md'])
const scripts = Object.keys(JSON.parse(readFileSync('package.json', 'utf8')).scripts)

const withoutCode = (markdown: string) => markdown.replace(/^```.*?^```/gms, '')

/** The anchor that a heading gets where the page is shown. */
const slug = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-')

const anchorsOf = (path: string) =>
  [...withoutCode(readFileSync(path, 'utf8')).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    slug(heading),
  )

/** The fault of a link from a page, or undefined. */
function faultOf(page: string, link: string): string | undefined {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? page : join(dirname(page), path)
  if (!existsSync(target)) return `${page}: ${link} leads nowhere`
  if (anchor && !anchorsOf(target).includes(anchor)) return `${page}: ${link} leads to no heading`
  return undefined
}

describe('the docs', () => {
  test('lead to files and headings that exist', () => {
    const links = pages.flatMap((page) =>
      [...withoutCode(readFileSync(page, 'utf8')).matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, link = '']) => link)
        .filter((link) => !/^[a-z]+:/.test(link))
        .map((link) => ({ page, link })),
    )
    expect(links.length).toBeGreaterThan(30)
    expect(links.map(({ page, link }) => faultOf(page, link)).filter(Boolean)).toEqual([])
  })

  test('name commands of package.json', () => {
    const named = pages.flatMap((page) =>
      [...readFileSync(page, 'utf8').matchAll(/npm run (?:-s |--silent )?([\w:]+)/g)].map(
        ([, name = '']) => name,
      ),
    )
    expect(named.length).toBeGreaterThan(20)
    expect(named.filter((name) => !scripts.includes(name))).toEqual([])
  })

  test('show policy files that a gateway takes', () => {
    const files = pages.flatMap((page) =>
      [...readFileSync(page, 'utf8').matchAll(/^```yaml\n((?:limits|routes):.*?)^```/gms)].map(
        ([, text = '']) => ({
          page,
          text,
        }),
      ),
    )
    expect(files.length).toBeGreaterThan(1)
    for (const { page, text } of files) {
      const { rows, limits } = readPolicyFile(text, page)
      const all = [...routes, ...rows.map(({ row }) => row)]
      expect(() => compilePolicy(all, ['origin', 'reports', 'orders'], limits)).not.toThrow()
    }
  })

  test('are all named in the README', () => {
    const readme = readFileSync('README.md', 'utf8')
    const unnamed = globSync('docs/*.md').filter((page) => !readme.includes(`(${page})`))
    expect(unnamed).toEqual([])
  })

  test('say for whom they are in their first line', () => {
    const unaddressed = globSync(['docs/*.md', 'docs/runbooks/*.md']).filter(
      (page) => !/^# [^\n]+\n\nFor /.test(readFileSync(page, 'utf8')),
    )
    expect(unaddressed).toEqual([])
  })

  test('have what each alert leads to', () => {
    const alerts = readFileSync('deploy/monitoring/alerts.yml', 'utf8')
    const runbooks = [...alerts.matchAll(/runbook_url: (\S+)/g)].map(([, link = '']) => link)
    expect(runbooks.length).toBeGreaterThan(10)
    expect(runbooks.map((link) => faultOf('alerts', link)).filter(Boolean)).toEqual([])
  })
})
