export type Line =
  | { kind: 'line'; number: number; value: unknown }
  | { kind: 'rejected'; number: number; reason: string }

/** Bytes of a line: metadata of 8 KiB, each character escaped, and the other fields. */
export const longestLine = 65_536

const lineFeed = 0x0a

/**
 * The lines of NDJSON, parsed; empty ones are left out. Memory is bounded by the longest line that
 * is allowed: of a longer one only the length is read.
 *
 * @throws what the source throws, where `explain` has no reason for it; otherwise the reason is
 *   that of the last line
 */
export async function* readLines(
  source: AsyncIterable<Uint8Array>,
  explain: (error: unknown) => string | undefined,
): AsyncGenerator<Line> {
  const parse = createLineParser()
  let number = 1
  let parts: Uint8Array[] = []
  let length = 0

  function keep(part: Uint8Array) {
    length += part.length
    if (length <= longestLine) parts.push(part)
    else parts = []
  }

  function endLine(): Line | undefined {
    const line = length > longestLine ? tooLong(number) : parse(Buffer.concat(parts), number)
    parts = []
    length = 0
    number += 1
    return line
  }

  try {
    for await (const chunk of source) {
      let start = 0
      for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
        keep(chunk.subarray(start, end))
        start = end + 1
        const line = endLine()
        if (line) yield line
      }
      if (start < chunk.length) keep(chunk.subarray(start))
    }
  } catch (error) {
    const reason = explain(error)
    if (reason === undefined) throw error
    yield { kind: 'rejected', number, reason }
    return
  }
  const last = length > 0 && endLine()
  if (last) yield last
}

const tooLong = (number: number): Line => ({
  kind: 'rejected',
  number,
  reason: `is longer than ${longestLine} bytes`,
})

function createLineParser() {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  return function parseLine(bytes: Uint8Array, number: number): Line | undefined {
    let text: string
    try {
      text = decoder.decode(bytes).trim()
    } catch {
      return { kind: 'rejected', number, reason: 'is not UTF-8' }
    }
    if (text === '') return undefined
    try {
      return { kind: 'line', number, value: JSON.parse(text) }
    } catch {
      return { kind: 'rejected', number, reason: 'is not JSON' }
    }
  }
}
