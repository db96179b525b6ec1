import fc from 'fast-check'
import { Hono } from 'hono'
import { expect, test } from 'vitest'
import { Problem } from '../../shared/http/errors.ts'
import { openRow } from '../../test/support/gateway/gateway-harness.ts'
import { compilePolicy } from './policy.ts'
import { readTarget } from './request-target.ts'

/** Rows of which a path can reach a wrong one by every kind of edit. */
const patterns = [
  '/public/{name}',
  '/public/admin',
  '/public/{name}/parts/{part}',
  '/secret/{name}',
  '/secret',
  '/{any}/{name}',
]
const compile = (paths: readonly string[]) =>
  compilePolicy(
    paths.map((path) => ({ ...openRow, path })),
    ['reports'],
  )
const policy = compile(patterns)

/** The same with rest parameters, which take what the others leave. */
const patternsWithRest = [...patterns, '/public/{name}/{file...}', '/{any}/{name}/{file...}', '/{file...}']
const policyWithRest = compile(patternsWithRest)

/** How an upstream may read a path that it is sent: the segments that it routes by. */
const readers: Record<string, (path: string) => string[]> = {
  'WHATWG URL': (path) => decoded(new URL(path, 'http://upstream').pathname),
  'no normalization': decoded,
  'decoding before splitting': (path) => segmentsOf(decode(path)),
  'decoding, then dot segments': (path) => withoutDots(segmentsOf(decode(path))),
  'dot segments, then decoding': (path) => withoutDots(segmentsOf(path)).map(decode),
  'without path parameters': (path) => withoutDots(segmentsOf(path.replace(/;[^/]*/g, '')).map(decode)),
  'decoding, then without path parameters': (path) =>
    withoutDots(segmentsOf(decode(path).replace(/;[^/]*/g, ''))),
  'decoding twice': (path) => withoutDots(segmentsOf(decode(decode(path)))),
  'decoding twice, backslashes as slashes': (path) =>
    withoutDots(segmentsOf(decode(decode(path)).replaceAll('\\', '/'))),
  '%u002f as a slash': (path) =>
    withoutDots(
      segmentsOf(
        decode(path).replace(/%u([\da-f]{4})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16))),
      ),
    ),
  'overlong UTF-8': (path) =>
    withoutDots(segmentsOf(decode(path.replace(/%c0%af|%e0%80%af/gi, '/').replace(/%c0%ae/gi, '.')))),
  'up to a null': (path) => segmentsOf(decode(path).replace(/\0.*/s, '')),
}

const segmentsOf = (path: string) => path.split('/').slice(1)

function decoded(path: string): string[] {
  return segmentsOf(path).map(decode)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text.replace(/%([\da-f]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
  }
}

function withoutDots(segments: readonly string[]): string[] {
  const kept: string[] = []
  for (const segment of segments)
    if (segment === '..') kept.pop()
    else if (segment !== '.' && segment !== '') kept.push(segment)
  return kept
}

/** Literals first, then parameters, then rest parameters, from the left. */
const byPrecedence = (a: string, b: string) => (rank(a) < rank(b) ? -1 : 1)
const rank = (pattern: string) => pattern.replace(/\{\w+\.{3}\}/, '\uffff').replaceAll('{', '~')

/**
 * The pattern of a path that is split and decoded: that with the most literal segments from the
 * left.
 */
function patternOf(segments: readonly string[], among: readonly string[]): string | undefined {
  const fits = (pattern: string) => {
    const parts = segmentsOf(pattern)
    const hasRest = pattern.endsWith('...}')
    // A slash at the end stays with the rest.
    const given = hasRest && segments.at(-1) === '' ? segments.slice(0, -1) : segments
    return (
      (hasRest ? parts.length <= given.length : parts.length === given.length) &&
      parts.every((part, i) => (part.startsWith('{') ? given[i] !== '' : part === given[i]))
    )
  }
  return among.filter(fits).sort(byPrecedence)[0]
}

const edits = [
  '% %25 %2525 %252e %252f %2e %2E . .. / // ; %3b %3B ;x=1 %2f %2F %5c \\ %00 %0a %0D %7f %c0%af %c0%ae',
  '%C3%A9 %e0%80%af %ff %u002f %25u002f %25u002e %61 %41 %7E %2D %70 %73 a admin public secret parts 2e 2f 5c',
  '25 u002e u002f ~ + : @ , %20 %23 %3F %3f ..; ;..; %2e%2e %25%32%65',
].flatMap((line) => line.split(' '))
const bases = [
  ...['/public/a', '/public/admin', '/secret/a', '/secret', '/any/a', '/public/a/parts/b'],
  ...['/public/a/b/c/', '/public/admin/', '/any/a/b'],
]

/** A path with up to six random insertions, replacements and deletions. */
const editedPath = fc
  .tuple(
    fc.constantFrom(...bases),
    fc.array(fc.tuple(fc.nat(), fc.nat(3), fc.constantFrom(...edits)), { minLength: 1, maxLength: 6 }),
  )
  .map(([base, changes]) =>
    changes.reduce((path, [at, removed, inserted]) => {
      const index = 1 + (at % path.length)
      return path.slice(0, index) + inserted + path.slice(index + removed)
    }, base),
  )

/** @returns undefined where the gateway refuses the path */
function gatewayReads(target: string, { match } = policy) {
  try {
    const { path } = readTarget(target)
    return { path, pattern: match('GET', path).path }
  } catch (error) {
    if (error instanceof Problem) return undefined
    throw error
  }
}

const runs = { numRuns: 30_000 }

test.each([
  { table: 'without rest parameters', among: patterns, ofTable: policy, numRuns: 30_000 },
  { table: 'with rest parameters', among: patternsWithRest, ofTable: policyWithRest, numRuns: 10_000 },
])(
  'a path that the gateway forwards leads every kind of upstream to the row that was matched: $table',
  ({ among, ofTable, numRuns }) => {
    let forwarded = 0
    fc.assert(
      fc.property(editedPath, (target) => {
        const read = gatewayReads(target, ofTable)
        if (!read) return
        forwarded++
        for (const [name, reader] of Object.entries(readers))
          expect({ target, name, pattern: patternOf(reader(read.path), among) }).toEqual({
            target,
            name,
            pattern: read.pattern,
          })
      }),
      { numRuns },
    )
    expect(forwarded).toBeGreaterThan(numRuns / 10)
  },
)

test('normalizing twice is normalizing once, and never changes what a path decodes to', () => {
  fc.assert(
    fc.property(editedPath, (target) => {
      const read = gatewayReads(target)
      if (!read) return
      expect(readTarget(read.path).path).toBe(read.path)
      expect(decode(read.path)).toBe(decode(target))
    }),
    runs,
  )
})

// The origin takes its parameters from Hono.
test('the origin’s router takes the same row, and decodes each parameter once', async () => {
  const app = new Hono()
  for (const pattern of patterns.toSorted(byPrecedence))
    app.get(pattern.replaceAll(/\{(\w+)\}/g, ':$1'), (c) => c.json({ pattern, values: c.req.param() }))
  await fc.assert(
    fc.asyncProperty(editedPath, async (target) => {
      const read = gatewayReads(target)
      if (!read) return
      const answer = await app.request(`http://origin${read.path}`)
      const names = segmentsOf(read.pattern)
      const values = segmentsOf(read.path).flatMap((segment, i) =>
        names[i]?.startsWith('{') ? [[names[i]?.slice(1, -1), decodeEach(segment)]] : [],
      )
      expect({ target, ...(await answer.json()) }).toEqual({
        target,
        pattern: read.pattern,
        values: Object.fromEntries(values),
      })
    }),
    { numRuns: 10_000 },
  )
})

/** Hono leaves bytes that are no UTF-8 encoded, each run of them for itself. */
function decodeEach(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return segment.replace(/(?:%[\da-f]{2})+/gi, (run) => {
      try {
        return decodeURIComponent(run)
      } catch {
        return run
      }
    })
  }
}
