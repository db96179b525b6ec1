import { parsePath } from './row-path.ts'

interface Node<Value> {
  literals: Map<string, Node<Value>>
  parameter: Node<Value> | undefined
  /** Of the pattern that ends here. */
  value: Value | undefined
  /** Of the pattern whose rest parameter takes everything from here on. */
  rest: Value | undefined
}

const createNode = <Value>(): Node<Value> => ({
  literals: new Map(),
  parameter: undefined,
  value: undefined,
  rest: undefined,
})

/**
 * Matches paths with the patterns of rows. Segment by segment from the left, a literal wins over a
 * parameter, and both over a rest parameter. A pattern is visited at most once for a path, so no
 * path costs more than the table is large.
 */
export function createPathMatcher<Value>() {
  const root = createNode<Value>()
  /** Patterns without parameters: nothing wins over them. */
  const literalPaths = new Map<string, Value>()

  function walk(node: Node<Value>, path: string, from: number): Value | undefined {
    const slash = path.indexOf('/', from)
    const segment = slash === -1 ? path.slice(from) : path.slice(from, slash)
    if (segment === '') return undefined
    const literal = node.literals.get(segment)
    const found = literal && (slash === -1 ? literal.value : walk(literal, path, slash + 1))
    if (found !== undefined) return found
    const { parameter } = node
    const taken = parameter && (slash === -1 ? parameter.value : walk(parameter, path, slash + 1))
    return taken !== undefined ? taken : node.rest
  }

  return {
    /** @param pattern of the form of `rowPathPattern`; of two with one shape the last stays */
    add(pattern: string, value: Value): void {
      const segments = parsePath(pattern)
      if (segments.every(({ kind }) => kind === 'literal')) {
        literalPaths.set(pattern, value)
        return
      }
      let node = root
      for (const segment of segments) {
        if (segment.kind === 'rest') {
          node.rest = value
          return
        }
        if (segment.kind === 'parameter') {
          node.parameter ??= createNode()
          node = node.parameter
        } else {
          const next = node.literals.get(segment.text) ?? createNode()
          node.literals.set(segment.text, next)
          node = next
        }
      }
      node.value = value
    },

    /** @param path normalized, without empty segments but perhaps a slash at its end */
    find(path: string): Value | undefined {
      return literalPaths.get(path) ?? walk(root, path, 1)
    },
  }
}
