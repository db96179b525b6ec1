const lineFeed = 0x0a
const carriageReturn = 0x0d
const colon = 0x3a

/**
 * Finds the places of a stream of server-sent events at which another event can begin: behind a
 * blank line, or behind comments (HTML Standard, section 9.2.6).
 */
export class EventBoundaryReader {
  /** Whether an event can begin behind all that has been read. */
  isBetweenEvents = true
  private isLineEmpty = true
  private isBehindReturn = false
  /** Whether the event under way has a line that is no comment. */
  private hasFields = false

  /** Reads to the first place at which an event can begin. @returns it, or undefined */
  readToBoundary(bytes: Uint8Array): number | undefined {
    if (this.isBetweenEvents) return 0
    for (let at = 0; at < bytes.length; at++) {
      this.readByte(bytes[at] as number)
      if (this.isBetweenEvents) return at + 1
    }
    return undefined
  }

  read(bytes: Uint8Array): undefined {
    for (const byte of bytes) this.readByte(byte)
  }

  private readByte(byte: number): void {
    const isSecondOfPair = byte === lineFeed && this.isBehindReturn
    this.isBehindReturn = byte === carriageReturn
    if (isSecondOfPair) return
    if (byte === lineFeed || byte === carriageReturn) {
      if (this.isLineEmpty) this.hasFields = false
      this.isBetweenEvents = !this.hasFields
      this.isLineEmpty = true
      return
    }
    if (this.isLineEmpty && byte !== colon) this.hasFields = true
    this.isLineEmpty = false
    this.isBetweenEvents = false
  }
}
