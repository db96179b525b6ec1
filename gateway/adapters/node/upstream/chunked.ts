import { ResponseError } from './response-head.ts'

/** Longest size line: a few digits; extensions are ignored. */
const maxLineLength = 1024

/** Longest trailers together; they are dropped. */
const maxTrailerBytes = 16 * 1024

const sizeLine = /^([\da-f]{1,12})[\t ]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/i

/** Streaming parser of a chunked body (RFC 9112, section 7.1). */
export function createChunkedReader(onData: (bytes: Buffer) => void) {
  let state: 'size' | 'data' | 'data end' | 'trailers' | 'done' = 'size'
  /** An incomplete line. */
  let line = ''
  let left = 0
  let trailerBytes = 0

  /** @returns the position after the line; undefined if it is incomplete */
  function readLine(bytes: Buffer, from: number): number | undefined {
    const end = bytes.indexOf(0x0a, from)
    line += bytes.toString('latin1', from, end === -1 ? bytes.length : end)
    if (line.length > maxLineLength) throw new ResponseError('chunk line')
    if (end === -1) return undefined
    if (!line.endsWith('\r')) throw new ResponseError('chunk line')
    line = line.slice(0, -1)
    return end + 1
  }

  function endLine() {
    if (state === 'size') {
      const size = sizeLine.exec(line)?.[1]
      if (size === undefined) throw new ResponseError('chunk size')
      left = Number.parseInt(size, 16)
      state = left === 0 ? 'trailers' : 'data'
    } else if (state === 'data end') {
      if (line !== '') throw new ResponseError('chunk end')
      state = 'size'
    } else {
      trailerBytes += line.length
      if (trailerBytes > maxTrailerBytes) throw new ResponseError('trailers')
      if (line === '') state = 'done'
    }
    line = ''
  }

  return {
    /**
     * @returns how many of the bytes belong to the body
     * @throws ResponseError
     */
    read(bytes: Buffer, from: number): number {
      let at = from
      while (at < bytes.length && state !== 'done') {
        if (state === 'data') {
          const end = Math.min(bytes.length, at + left)
          onData(bytes.subarray(at, end))
          left -= end - at
          at = end
          if (left === 0) state = 'data end'
        } else {
          const next = readLine(bytes, at)
          if (next === undefined) return bytes.length
          endLine()
          at = next
        }
      }
      return at
    },

    isDone: () => state === 'done',
  }
}

export type ChunkedReader = ReturnType<typeof createChunkedReader>
