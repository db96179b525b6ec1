import { type PathSegment, parsePath } from '../policy/row-path.ts'

/** A path template of an OpenAPI document, in segments: `/orders/{id}`. */
const segmentsOf = (template: string): string[] => template.split('/').slice(1)

const isParameter = (segment: string) => /^\{[^{}]+\}$/.test(segment)

export interface FrontPath {
  /** The template at the gateway. */
  template: string
  /** Names of the document's path parameters, by which the template calls them. */
  renamed: ReadonlyMap<string, string>
}

/**
 * The template at the gateway of a path of an upstream's document, where the row leads there.
 *
 * @param path of the row
 * @param upstreamPath path that the row sends upstream: its rewrite, or the same path
 * @returns undefined where the row does not lead to it
 */
export function frontPathOf(path: string, upstreamPath: string, template: string): FrontPath | undefined {
  const values = bind(parsePath(upstreamPath), segmentsOf(template))
  if (!values) return undefined
  const renamed = new Map<string, string>()
  let front = ''
  for (const segment of parsePath(path)) {
    if (segment.kind === 'literal') front += `/${segment.text}`
    else {
      const value = values.get(segment.name)
      // A parameter that does not go upstream.
      if (!value) front += `/{${segment.name}}`
      else front += value.map((part) => `/${nameOf(part, segment, renamed)}`).join('')
    }
  }
  return { template: front, renamed }
}

/** A parameter of one segment has the row's name for it. */
function nameOf(part: string, segment: PathSegment, renamed: Map<string, string>): string {
  if (!isParameter(part) || segment.kind !== 'parameter') return part
  renamed.set(part.slice(1, -1), segment.name)
  return `{${segment.name}}`
}

/** The segments of the template that each parameter of the row stands for. */
function bind(
  pattern: readonly PathSegment[],
  segments: readonly string[],
): Map<string, string[]> | undefined {
  const values = new Map<string, string[]>()
  for (const [index, part] of pattern.entries()) {
    const segment = segments[index]
    if (segment === undefined) return undefined
    if (part.kind === 'literal') {
      if (segment !== part.text) return undefined
      continue
    }
    if (segment === '') return undefined
    const isLast = index === pattern.length - 1
    // A rest parameter in the middle of a rewrite can be read backwards in several ways.
    if (part.kind === 'rest' && !isLast) return undefined
    values.set(part.name, part.kind === 'rest' ? segments.slice(index) : [segment])
    if (part.kind === 'rest') return values
  }
  return pattern.length === segments.length ? values : undefined
}
