import type { RawHeaders } from '../../../../shared/http/headers.ts'
import { endOfLine, isNamed, readHeaderLines } from '../../../../shared/node/http/header-lines.ts'
import { maxHeadBytes } from '../../../../shared/node/http/http-server.ts'

/** Head of a plain request: no body, no upgrade, no connection option. */
export interface RequestHead {
  method: 'GET' | 'HEAD'
  /** Path and query. */
  target: string
  /** Names and values in turn, as they came. */
  headers: RawHeaders
}

const headEnd = Buffer.from('\r\n\r\n')
const requestLine = /^(GET|HEAD) (\/[\x21-\x7e]*) HTTP\/1\.1$/

/**
 * Reads a chunk that is exactly one GET or HEAD without a body.
 *
 * @returns undefined for anything else, including input that a lenient parser would accept
 */
export function readRequestHead(bytes: Buffer): RequestHead | undefined {
  const end = bytes.indexOf(headEnd)
  if (end === -1 || end + headEnd.length !== bytes.length || end > maxHeadBytes) return undefined
  const text = bytes.toString('latin1', 0, end)
  const lineEnd = endOfLine(text, 0)
  const [, method, target] = requestLine.exec(text.slice(0, lineEnd)) ?? []
  if (target === undefined) return undefined
  const headers = readHeaderLines(text, lineEnd + 2)
  if (!headers || !isBodyless(headers)) return undefined
  return { method: method as RequestHead['method'], target, headers }
}

/** Headers that announce a body or another protocol. */
const bodyOrUpgradeHeaders = ['content-length', 'transfer-encoding', 'upgrade', 'expect']

/** Whether no header announces a body, an upgrade or the end of the connection. */
function isBodyless(headers: Readonly<RawHeaders>): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string
    if (bodyOrUpgradeHeaders.some((known) => isNamed(name, known))) return false
    if (isNamed(name, 'connection') && !isNamed(headers[i + 1] as string, 'keep-alive')) return false
  }
  return true
}
