import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createChunkedReader } from './chunked.ts'
import { ResponseError } from './response-head.ts'

/** Reads what comes in pieces. @returns the body, and what stood behind it */
function read(pieces: Buffer[]) {
  const body: Buffer[] = []
  const reader = createChunkedReader((bytes) => body.push(Buffer.from(bytes)))
  let behind = 0
  for (const piece of pieces) behind += piece.length - reader.read(piece, 0)
  return { body: Buffer.concat(body).toString('latin1'), isDone: reader.isDone(), behind }
}

const readText = (text: string) => read([Buffer.from(text, 'latin1')])

describe('a chunked body', () => {
  test('is decoded the same for every division into chunks and packets', () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 8 }),
        fc.array(fc.nat(400), { maxLength: 12 }),
        (chunks, cuts) => {
          const encoded = Buffer.concat([
            ...chunks.flatMap((chunk) => [
              Buffer.from(`${chunk.length.toString(16)}\r\n`),
              chunk,
              Buffer.from('\r\n'),
            ]),
            Buffer.from('0\r\n\r\n'),
          ])
          const at = [0, ...cuts.filter((cut) => cut < encoded.length).sort((a, b) => a - b), encoded.length]
          const pieces = at.slice(1).map((end, i) => encoded.subarray(at[i], end))
          expect(read(pieces)).toEqual({
            body: Buffer.concat(chunks).toString('latin1'),
            isDone: true,
            behind: 0,
          })
        },
      ),
    )
  })

  test('ends at its last chunk: later bytes are not part of it', () => {
    expect(readText('1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK')).toEqual({ body: 'a', isDone: true, behind: 15 })
  })

  test('may have extensions and trailers, which are dropped', () => {
    expect(readText('1;name="x"\r\na\r\n0\r\nX-Sum: 1\r\n\r\n')).toEqual({
      body: 'a',
      isDone: true,
      behind: 0,
    })
  })

  test('is not done before its last line', () => {
    for (const text of [
      '',
      '1',
      '1\r\n',
      '1\r\na',
      '1\r\na\r\n',
      '1\r\na\r\n0\r\n',
      '1\r\na\r\n0\r\nX: 1\r\n',
    ])
      expect(readText(text).isDone).toBe(false)
  })
})

test.each([
  ['no size', '\r\n'],
  ['a size that is none', 'x\r\na\r\n'],
  ['a signed size', '+1\r\na\r\n'],
  ['a size with a prefix', '0x1\r\na\r\n'],
  ['a size beyond all measure', `${'f'.repeat(13)}\r\n`],
  ['a bare line feed behind the size', '1\na\r\n'],
  ['more than the size says', '1\r\nab\r\n'],
  ['a bare line feed behind the chunk', '1\r\na\n'],
  ['a size line without an end', '1;'.padEnd(2000, 'x')],
  ['trailers without an end', `0\r\n${'X-A: 1\r\n'.repeat(4000)}`],
])('%s is rejected', (_what, text) => {
  expect(() => readText(text)).toThrow(ResponseError)
})
