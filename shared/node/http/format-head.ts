import { STATUS_CODES } from 'node:http'

/**
 * The head of an answer for a connection that has no response to write to.
 *
 * @param fields names and values in turn
 */
export function rawHead(status: number, fields: readonly string[]): string {
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\n`
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`
  return `${head}\r\n`
}
