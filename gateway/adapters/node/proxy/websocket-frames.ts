import { Transform, type TransformCallback } from 'node:stream'

/** A frame's head is at most 14 bytes (RFC 6455, section 5.2). */
const maxHeadBytes = 14
const closeOpcode = 0x8

/** Finds where frames end, without keeping any of their payload. */
export class FrameReader {
  /** Whether a Close frame has begun: its sender sends nothing behind it. */
  hasClosed = false
  private readonly head = Buffer.alloc(maxHeadBytes)
  private headLength = 0
  private payloadLeft = 0

  get isBetweenFrames(): boolean {
    return this.headLength === 0
  }

  /** Reads to the end of the current frame. @returns the place behind it, or undefined */
  readFrame(bytes: Buffer, from: number): number | undefined {
    let at = from
    while (this.headLength < this.headSize()) {
      if (at === bytes.length) return undefined
      this.head[this.headLength++] = bytes[at++] as number
      if (this.headLength === this.headSize()) this.beginPayload()
    }
    const taken = Math.min(this.payloadLeft, bytes.length - at)
    this.payloadLeft -= taken
    if (this.payloadLeft > 0) return undefined
    this.headLength = 0
    return at + taken
  }

  read(bytes: Buffer): void {
    let at: number | undefined = 0
    while (at !== undefined && at < bytes.length) at = this.readFrame(bytes, at)
  }

  /** Bytes of the head, as far as those that have been read tell. */
  private headSize(): number {
    if (this.headLength < 2) return 2
    const [, lengths = 0] = this.head
    const size = lengths & 0x7f
    return 2 + (size === 126 ? 2 : size === 127 ? 8 : 0) + (lengths & 0x80 ? 4 : 0)
  }

  private beginPayload(): void {
    const [first = 0, lengths = 0] = this.head
    const size = lengths & 0x7f
    if (size === 126) this.payloadLeft = this.head.readUInt16BE(2)
    else if (size === 127) this.payloadLeft = Number(this.head.readBigUInt64BE(2))
    else this.payloadLeft = size
    if ((first & 0xf) === closeOpcode) this.hasClosed = true
  }
}

/** A Close frame of a server, which is not masked (RFC 6455, section 5.5.1). */
export function closeFrame(code: number, reason: string): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason))
  payload.writeUInt16BE(code)
  payload.write(reason, 2)
  return Buffer.concat([Buffer.from([0x80 | closeOpcode, payload.length]), payload])
}

/**
 * Passes the frames of an upstream on as they are. `closeWith` ends them with a Close frame of the
 * gateway: at once, or behind the frame that is under way.
 */
export class ClosableFrames extends Transform {
  private readonly reader = new FrameReader()
  private isClosed = false
  private close: { frame: Buffer; onClosed: () => void } | undefined

  override _transform(bytes: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const { close, reader } = this
    if (this.isClosed) {
      done()
      return
    }
    if (!close) {
      reader.read(bytes)
      done(null, bytes)
      return
    }
    const end = reader.readFrame(bytes, 0)
    done(null, end === undefined ? bytes : bytes.subarray(0, end))
    if (end !== undefined) this.finish()
  }

  /** @param onClosed called before the last frame: from then on nothing may be written */
  closeWith(code: number, reason: string, onClosed: () => void): void {
    if (this.close || this.writableEnded) return
    this.close = { frame: closeFrame(code, reason), onClosed }
    if (this.reader.isBetweenFrames) this.finish()
  }

  private finish(): void {
    if (!this.close) return
    this.isClosed = true
    this.close.onClosed()
    // The upstream may have sent its own.
    if (!this.reader.hasClosed) this.push(this.close.frame)
    this.end()
  }
}
