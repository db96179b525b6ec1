/** Of a message of PostgreSQL's protocol: one byte for its type, four for its length. */
const headerBytes = 5

/**
 * Splits what a server sends into messages, however the network cut it.
 *
 * @param isWanted types whose bodies are kept; all others are skipped without a copy
 */
export function createMessageReader(
  isWanted: (type: number) => boolean,
  onMessage: (type: number, body: Buffer) => void,
) {
  const header = Buffer.alloc(headerBytes)
  let headerLength = 0
  let bodyLeft = 0
  let body: Buffer[] = []

  return function read(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (headerLength < headerBytes) {
        const taken = chunk.copy(header, headerLength, at)
        headerLength += taken
        at += taken
        if (headerLength < headerBytes) return
        bodyLeft = Math.max(0, header.readUInt32BE(1) - 4)
      }
      const taken = Math.min(bodyLeft, chunk.length - at)
      const type = header[0] ?? 0
      if (isWanted(type)) body.push(chunk.subarray(at, at + taken))
      at += taken
      bodyLeft -= taken
      if (bodyLeft > 0) return
      headerLength = 0
      if (body.length > 0) onMessage(type, body.length === 1 ? (body[0] as Buffer) : Buffer.concat(body))
      body = []
    }
  }
}
