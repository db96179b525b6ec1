/** A segment of a row's path, or of its rewrite. */
export type PathSegment =
  | { kind: 'literal'; text: string }
  | { kind: 'parameter'; name: string }
  /** One or more segments, with the slashes between them. */
  | { kind: 'rest'; name: string }

const name = '[A-Za-z_][A-Za-z0-9_]*'
/** A dot segment would be another path. */
const literal = '(?!\\.{1,2}(?:\\/|$))[A-Za-z0-9._~-]+'

/** Literal segments and `{parameters}`; the last may be `{rest...}`. */
export const rowPathPattern = new RegExp(
  `^(?:\\/(?:${literal}|\\{${name}\\}))*\\/(?:${literal}|\\{${name}(?:\\.{3})?\\})$`,
)

/** The same, with `{rest...}` anywhere, and a slash at the end where the upstream wants one. */
export const rewritePattern = new RegExp(`^(?=\\/)(?:\\/(?:${literal}|\\{${name}(?:\\.{3})?\\}))*\\/?$`)

const segment = /^\{(?<name>\w+)(?<rest>\.{3})?\}$/

/** @param path of the form of `rowPathPattern` or `rewritePattern` */
export const parsePath = (path: string): PathSegment[] =>
  path
    .split('/')
    .slice(1)
    .map((text) => {
      const groups = segment.exec(text)?.groups
      if (!groups) return { kind: 'literal', text }
      return { kind: groups.rest === undefined ? 'parameter' : 'rest', name: groups.name as string }
    })

/** A path without the names of its parameters, which distinguish no two rows. */
export const shapeOf = (path: string): string =>
  parsePath(path)
    .map((part) => (part.kind === 'literal' ? `/${part.text}` : part.kind === 'rest' ? '/{...}' : '/{}'))
    .join('')

/** Whether a path of the origin can be one of its internal API, also by a parameter's value. */
export function reachesInternal(path: string): boolean {
  const [first] = parsePath(path)
  return first !== undefined && (first.kind !== 'literal' || first.text === 'internal')
}
