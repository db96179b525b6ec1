import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, visit } from 'yaml'

/** Counted from 1. */
export interface YamlPosition {
  line: number
  column: number
}

export interface YamlFault extends YamlPosition {
  reason: string
}

/** A text that is not one YAML document. */
export class YamlError extends Error {
  readonly faults: readonly YamlFault[]

  constructor(faults: readonly YamlFault[]) {
    super(faults.map(({ line, column, reason }) => `${line}:${column}: ${reason}`).join('\n'))
    this.name = 'YamlError'
    this.faults = faults
  }
}

export interface YamlSource {
  /** As JSON has it. */
  content: unknown
  /**
   * Position of the innermost node that the path leads to.
   *
   * @param of the last step's key instead of its value
   */
  positionOf: (path: readonly PropertyKey[], of?: 'key' | 'value') => YamlPosition
}

/** Bounds YAML aliases, so that a small file cannot expand into a huge one. */
const maxAliases = 100

/**
 * Reads one YAML document, of which JSON is a part, with the position of each node.
 *
 * @throws YamlError for errors and warnings of the parser, keys that occur twice, NUL, and
 *   `__proto__`, which a schema would not see
 */
export function readYaml(text: string): YamlSource {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true })
  const at = (offset: number): YamlPosition => {
    const { line, col } = lines.linePos(offset)
    // An empty document has no lines.
    return { line: Math.max(line, 1), column: Math.max(col, 1) }
  }

  const nul = text.indexOf('\0')
  if (nul >= 0) throw new YamlError([{ ...at(nul), reason: 'NUL is no character of YAML' }])
  const syntax = [...document.errors, ...document.warnings].map(({ pos, message }) => ({
    ...at(pos[0]),
    reason: message,
  }))
  if (syntax.length > 0) throw new YamlError(syntax)
  const prototypes: YamlFault[] = []
  visit(document, {
    Pair(_, { key }) {
      if (isScalar(key) && key.value === '__proto__')
        prototypes.push({ ...at(key.range?.[0] ?? 0), reason: '__proto__ is not the name of anything' })
    },
  })
  if (prototypes.length > 0) throw new YamlError(prototypes)

  return {
    content: toContent(document, at(0)),
    positionOf: (path, of = 'value') => at(offsetOf(document, path, of)),
  }
}

function toContent(document: Document.Parsed, start: YamlPosition): unknown {
  try {
    return document.toJS({ maxAliasCount: maxAliases })
  } catch (error) {
    // At this stage yaml only throws for alias expansion.
    if (!(error instanceof ReferenceError)) throw error
    throw new YamlError([{ ...start, reason: error.message }])
  }
}

function offsetOf(document: Document.Parsed, path: readonly PropertyKey[], of: 'key' | 'value'): number {
  let node: unknown = document.contents
  let offset = document.contents?.range?.[0] ?? 0
  for (const [index, step] of path.entries()) {
    const collection = isAlias(node) ? node.resolve(document) : node
    if (isSeq(collection)) {
      node = collection.items[Number(step)]
    } else if (isMap(collection)) {
      const pair = collection.items.find(({ key }) => isScalar(key) && String(key.value) === String(step))
      if (!pair) return offset
      const isLast = index === path.length - 1
      const value = pair.value as { range?: [number, number, number] | null } | null
      const hasValue = value?.range && value.range[1] > value.range[0]
      if (isScalar(pair.key) && ((isLast && of === 'key') || !hasValue)) return pair.key.range?.[0] ?? offset
      node = pair.value
    } else return offset
    const { range } = (node ?? {}) as { range?: [number, number, number] | null }
    if (!range) return offset
    offset = range[0]
  }
  return offset
}
