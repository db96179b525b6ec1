import { createReplyReader, encodeCommands, type Reply, ReplyError } from './resp.ts'

/** Socket of the platform. */
export interface Socket {
  readable: ReadableStream<Uint8Array>
  writable: WritableStream<Uint8Array>
  closed: Promise<unknown>
  close(): Promise<unknown>
}

export type Connect = (
  address: { hostname: string; port: number },
  options: { secureTransport: 'on' | 'off'; allowHalfOpen: boolean },
) => Socket

export type Command = readonly (string | number)[]

interface RedisOptions {
  /** redis:// or rediss:// (over TLS), with user and password, and a database as its path. */
  url: string
  connect: Connect
}

const standardPort = 6379

/**
 * Sends commands to Redis over one connection per call, for a runtime where a connection cannot
 * outlive its request. All commands go out in one write, after AUTH and SELECT.
 */
export function createRedis({ url, connect }: RedisOptions) {
  const { protocol, hostname, port, username, password, pathname } = new URL(url)
  const database = pathname.slice(1)
  const greeting: Command[] = [
    ...(password ? [['AUTH', ...[username, password].filter(Boolean).map(decodeURIComponent)]] : []),
    ...(database ? [['SELECT', database]] : []),
  ]
  const address = { hostname: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || standardPort }
  const secureTransport = protocol === 'rediss:' ? 'on' : 'off'

  /**
   * @returns one reply per command, in order
   * @throws ReplyError if a command was rejected, Error if Redis is unavailable
   */
  return async function ask(commands: readonly Command[]): Promise<Reply[]> {
    const socket = connect(address, { secureTransport, allowHalfOpen: false })
    // The reads report the end of the connection.
    socket.closed.catch(() => {})
    try {
      const sent = [...greeting, ...commands]
      const [, replies] = await Promise.all([write(socket, encodeCommands(sent)), read(socket, sent.length)])
      const errorReply = replies.find((reply) => reply instanceof ReplyError)
      if (errorReply) throw errorReply
      return replies.slice(greeting.length)
    } finally {
      socket.close().catch(() => {})
    }
  }
}

async function write({ writable }: Socket, bytes: Uint8Array): Promise<void> {
  const writer = writable.getWriter()
  await writer.write(bytes)
  writer.releaseLock()
}

async function read({ readable }: Socket, count: number): Promise<Reply[]> {
  const { push } = createReplyReader()
  const replies: Reply[] = []
  const reader = readable.getReader()
  try {
    while (replies.length < count) {
      const { done, value } = await reader.read()
      if (done) throw new Error('Redis closed the connection')
      replies.push(...push(value))
    }
    return replies
  } finally {
    reader.releaseLock()
  }
}
