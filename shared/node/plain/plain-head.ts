import { endOfLine, readFieldLines } from '../field-lines.ts'

/** The head of a request that has no body and asks for nothing but its answer. */
export interface PlainHead {
  method: 'GET' | 'HEAD'
  /** Path and query. */
  target: string
  /** Names and values in turn, as they came. */
  fields: string[]
}

const mostBytes = 16 * 1024
const headEnd = Buffer.from('\r\n\r\n')
const requestLine = /^(GET|HEAD) (\/[\x21-\x7e]*) HTTP\/1\.1$/

/**
 * Reads what came in one piece where it is one plain request, whole and alone.
 *
 * @returns undefined for anything else, whatever a more lenient reader would make of it
 */
export function readPlainHead(bytes: Buffer): PlainHead | undefined {
  const end = bytes.indexOf(headEnd)
  if (end === -1 || end + headEnd.length !== bytes.length || end > mostBytes) return undefined
  const text = bytes.toString('latin1', 0, end)
  const lineEnd = endOfLine(text, 0)
  const [, method, target] = requestLine.exec(text.slice(0, lineEnd)) ?? []
  if (target === undefined) return undefined
  const fields = readFieldLines(text, lineEnd + 2)
  if (!fields || !isPlain(fields)) return undefined
  return { method: method as PlainHead['method'], target, fields }
}

/** Whether nothing is said of a body, of another protocol or of the connection's end. */
function isPlain(fields: readonly string[]): boolean {
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string
    // Names are compared only where their length is that of one that matters.
    switch (name.length) {
      case 6:
        if (is(name, 'expect')) return false
        break
      case 7:
        if (is(name, 'upgrade')) return false
        break
      case 10:
        if (is(name, 'connection') && !is(fields[i + 1] as string, 'keep-alive')) return false
        break
      case 14:
        if (is(name, 'content-length')) return false
        break
      case 17:
        if (is(name, 'transfer-encoding')) return false
    }
  }
  return true
}

const is = (text: string, known: string) => text.toLowerCase() === known
