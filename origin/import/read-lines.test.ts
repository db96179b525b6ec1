import { describe, expect, test } from 'vitest'
import { type Line, longestLine, readLines } from './read-lines.ts'

async function* inChunks(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function linesOf(bytes: Uint8Array, size: number): Promise<Line[]> {
  const lines: Line[] = []
  for await (const line of readLines(inChunks(bytes, size), () => undefined)) lines.push(line)
  return lines
}

describe('lines of NDJSON', () => {
  test.each([1, 2, 3, 7, 64, 1_000_000])('are the same in chunks of %i bytes', async (size) => {
    const text = `{"a":"ä€😀"}\n\n  \r\n[1]\n"cut\n${'x'.repeat(longestLine)}\n${'y'.repeat(longestLine + 1)}\n{}`
    expect(await linesOf(Buffer.from(text), size)).toEqual([
      { kind: 'line', number: 1, value: { a: 'ä€😀' } },
      { kind: 'line', number: 4, value: [1] },
      { kind: 'rejected', number: 5, reason: 'is not JSON' },
      { kind: 'rejected', number: 6, reason: 'is not JSON' },
      { kind: 'rejected', number: 7, reason: `is longer than ${longestLine} bytes` },
      { kind: 'line', number: 8, value: {} },
    ])
  })

  test('are none of an empty file', async () => {
    expect(await linesOf(Buffer.alloc(0), 10)).toEqual([])
  })
})
