/**
 * postgres.js 3.4.9 buffers writes of less than 1,024 bytes until the next turn of the event loop.
 * Where the connection ends in between, the buffer stays, and this slot of the pool sends no write
 * before 1,024 bytes are buffered. The padding makes the startup message that long, so that it is
 * sent at once; `cleanStartup` removes the padding.
 */
export const padding = { gatehouse_padding: ' '.repeat(1024) }

/** Version 3.0 of the protocol. */
const protocol = 196_608

/**
 * The first write on a new connection without the padding and without messages of the former
 * connection. Such messages begin with a letter, the startup message with the first byte of its
 * length.
 */
export function cleanStartup(written: Uint8Array): Uint8Array {
  const bytes = Buffer.from(written.buffer, written.byteOffset, written.byteLength)
  let at = 0
  while (at + 5 <= bytes.length && bytes[at] !== 0) at += 1 + bytes.readUInt32BE(at + 1)
  const startup = bytes.subarray(at)
  // The request to cancel a statement has no parameters.
  if (startup.length < 8 || startup.readUInt32BE(4) !== protocol) return startup
  const parameters = startup.toString('utf8', 8).replace(/\0+$/, '').split('\0')
  const kept = parameters.filter((_, index) => !((parameters[index - (index % 2)] as string) in padding))
  const body = Buffer.from(`${kept.join('\0')}\0\0`)
  const head = Buffer.alloc(8)
  head.writeUInt32BE(head.length + body.length)
  head.writeUInt32BE(protocol, 4)
  return Buffer.concat([head, body])
}
