/** Replies in RESP2, as far as the used commands need them. */
export type Reply = string | number | null | ReplyError | Reply[]

/** Redis rejected a command. A value, not an exception, as it stands among other replies. */
export class ReplyError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'ReplyError'
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Bounds of one reply, far above the used commands: bytes, and nesting of arrays.
 */
const maxReplyLength = 1024 ** 2
const deepestReply = 8

const [carriageReturn, lineFeed] = [13, 10]

/** Encodes commands for one write. */
export function encodeCommands(commands: readonly (readonly (string | number)[])[]): Uint8Array {
  let text = ''
  for (const command of commands) {
    text += `*${command.length}\r\n`
    for (const argument of command) {
      const value = String(argument)
      text += `$${encoder.encode(value).byteLength}\r\n${value}\r\n`
    }
  }
  return encoder.encode(text)
}

/** Parses replies from a stream of chunks. */
export function createReplyReader() {
  let pending: Uint8Array = new Uint8Array()

  /**
   * @returns the reply that begins at `at` and its end; undefined if it is incomplete
   */
  function read(at: number, depth = 0): { reply: Reply; end: number } | undefined {
    const lineEnd = findLineEnd(at)
    if (lineEnd === undefined) return undefined
    const line = decoder.decode(pending.subarray(at + 1, lineEnd))
    const next = lineEnd + 2
    switch (String.fromCharCode(pending[at] as number)) {
      case '+':
        return { reply: line, end: next }
      case '-':
        return { reply: new ReplyError(line), end: next }
      case ':':
        return { reply: toNumber(line), end: next }
      case '$':
        return readBulk(toNumber(line), next)
      case '*':
        return readArray(toNumber(line), next, depth)
      default:
        throw new Error('not a reply of Redis')
    }
  }

  function findLineEnd(at: number): number | undefined {
    const end = pending.indexOf(carriageReturn, at)
    if (end === -1 || end + 1 >= pending.byteLength) return undefined
    if (pending[end + 1] !== lineFeed) throw new Error('a line of a reply does not end as one')
    return end
  }

  function readBulk(bytes: number, at: number) {
    if (bytes < 0) return { reply: null, end: at }
    const end = at + bytes
    if (end + 2 > pending.byteLength) return undefined
    return { reply: decoder.decode(pending.subarray(at, end)), end: end + 2 }
  }

  function readArray(length: number, at: number, depth: number) {
    if (length < 0) return { reply: null, end: at }
    if (depth === deepestReply) throw new Error('a reply is nested too deep')
    const items: Reply[] = []
    let end = at
    for (let i = 0; i < length; i++) {
      const item = read(end, depth + 1)
      if (!item) return undefined
      items.push(item.reply)
      end = item.end
    }
    return { reply: items, end }
  }

  return {
    /**
     * @returns the replies complete so far @throws Error for a malformed or oversized reply
     */
    push(piece: Uint8Array): Reply[] {
      pending = joined(pending, piece)
      const replies: Reply[] = []
      for (;;) {
        const found = pending.byteLength === 0 ? undefined : read(0)
        if (!found) break
        replies.push(found.reply)
        pending = pending.subarray(found.end)
      }
      if (pending.byteLength > maxReplyLength) throw new Error('a reply is too long')
      return replies
    },
  }
}

function toNumber(line: string): number {
  if (!/^-?\d{1,15}$/.test(line)) throw new Error('a reply has no number where one belongs')
  return Number(line)
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array {
  if (first.byteLength === 0) return second
  const whole = new Uint8Array(first.byteLength + second.byteLength)
  whole.set(first)
  whole.set(second, first.byteLength)
  return whole
}
