import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FrameReader } from './websocket-frames.ts'

/** A frame of a server, or of a client where it is masked. */
function frameOf(length: number, isMasked: boolean): Buffer {
  const size = length < 126 ? length : length < 65_536 ? 126 : 127
  const extended = Buffer.alloc(size === 126 ? 2 : size === 127 ? 8 : 0)
  if (size === 126) extended.writeUInt16BE(length)
  if (size === 127) extended.writeBigUInt64BE(BigInt(length))
  return Buffer.concat([
    Buffer.from([0x82, size | (isMasked ? 0x80 : 0)]),
    extended,
    Buffer.alloc(isMasked ? 4 : 0),
    Buffer.alloc(length, 0x88),
  ])
}

const frame = fc.tuple(fc.constantFrom(0, 1, 125, 126, 300, 65_535, 65_536), fc.boolean())

test('frames end where they do, however their bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(frame, { minLength: 1, maxLength: 4 }),
      fc.array(fc.integer({ min: 1, max: 9000 }), { minLength: 1, maxLength: 20 }),
      (frames, sizes) => {
        const buffers = frames.map(([length, isMasked]) => frameOf(length, isMasked))
        const all = Buffer.concat(buffers)
        const ends = new Set<number>([0])
        let end = 0
        for (const each of buffers) {
          end += each.length
          ends.add(end)
        }
        const reader = new FrameReader()
        let at = 0
        for (let i = 0; at < all.length; i++) {
          const bytes = all.subarray(at, at + (sizes[i % sizes.length] as number))
          at += bytes.length
          reader.read(bytes)
          expect(reader.isBetweenFrames).toBe(ends.has(at))
        }
        expect(reader.hasClosed).toBe(false)
      },
    ),
    { numRuns: 200 },
  )
})
