import { STATUS_CODES } from 'node:http'
import type { RawHeaders } from '../../http/headers.ts'

/**
 * The head of a response for a connection that has no response to write to.
 *
 * @param headers names and values in turn
 */
export function rawHead(status: number, headers: Readonly<RawHeaders>): string {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
  for (let i = 0; i < headers.length; i += 2) head += `${headers[i]}: ${headers[i + 1]}\r\n`
  return `${head}\r\n`
}
