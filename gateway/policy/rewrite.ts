import { parsePath } from './row-path.ts'

/** The reason why a rewrite cannot be used with its path, or undefined. */
export function rewriteFault(path: string, rewrite: string): string | undefined {
  const given = parsePath(path).filter((segment) => segment.kind !== 'literal')
  const allowed = given.map(({ kind, name }) => (kind === 'rest' ? `{${name}...}` : `{${name}}`))
  for (const segment of parsePath(rewrite)) {
    if (segment.kind === 'literal') continue
    const written = segment.kind === 'rest' ? `{${segment.name}...}` : `{${segment.name}}`
    if (!allowed.includes(written))
      return `names ${written}, but the path has ${allowed.length === 0 ? 'no parameter' : allowed.join(', ')}`
    if (given.filter(({ name }) => name === segment.name).length > 1)
      return `names ${written}, which the path has twice`
  }
  return undefined
}

/** The path that goes upstream, made of the path that was matched. */
export type ToUpstreamPath = (path: string) => string

/**
 * Compiles a rewrite. The values of parameters stay as the matched path encodes them, so the result
 * is as unambiguous as that path. A slash at the end of a rest parameter's value stays only where
 * that value ends the result: `//` would be another path to some upstreams.
 *
 * @param path of the row
 * @param rewrite one without a `rewriteFault`
 */
export function compileRewrite(path: string, rewrite: string): ToUpstreamPath {
  const positions = new Map(
    parsePath(path).flatMap((segment, index) => (segment.kind === 'literal' ? [] : [[segment.name, index]])),
  )
  const parts = parsePath(rewrite).map((segment) =>
    segment.kind === 'literal'
      ? segment.text
      : { at: positions.get(segment.name) as number, isRest: segment.kind === 'rest' },
  )
  if (parts.every((part) => typeof part === 'string')) return () => rewrite

  return function toUpstreamPath(matched) {
    const segments = matched.slice(1).split('/')
    return parts
      .map((part, index) => {
        if (typeof part === 'string') return `/${part}`
        if (!part.isRest) return `/${segments[part.at]}`
        const rest = segments.slice(part.at)
        if (index < parts.length - 1 && rest.at(-1) === '') rest.pop()
        return rest.map((segment) => `/${segment}`).join('')
      })
      .join('')
  }
}
