import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { CommandError } from '../../shared/node/cli.ts'

export interface Input {
  /** The content, decompressed. */
  chunks: AsyncIterable<Uint8Array>
  /** Bytes read so far, and in all where that is known; as stored. */
  progress: () => { read: number; total: number | undefined }
}

const gzipMagic = [0x1f, 0x8b]

/**
 * Opens a file, or standard input for `-`. Data that begins as gzip is decompressed, whatever the
 * name says.
 *
 * @throws CommandError where the file cannot be read
 */
export async function openInput(path: string): Promise<Input> {
  const isStandardInput = path === '-'
  const total = isStandardInput ? undefined : await sizeOf(path)
  const source: AsyncIterable<Uint8Array> = isStandardInput ? process.stdin : createReadStream(path)
  let read = 0

  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      read += chunk.length
      yield chunk
    }
  }

  return { chunks: decompress(counted()), progress: () => ({ read, total }) }
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    const facts = await stat(path)
    if (facts.isDirectory()) throw new CommandError(`${path} is a folder.`)
    // A pipe has none.
    return facts.isFile() ? facts.size : undefined
  } catch (error) {
    if (error instanceof CommandError) throw error
    throw new CommandError(`${path} cannot be read: ${(error as NodeJS.ErrnoException).code}`, {
      cause: error,
    })
  }
}

async function* decompress(source: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  let head = Buffer.alloc(0)
  while (head.length < gzipMagic.length) {
    const { value, done } = await source.next()
    if (done) break
    head = Buffer.concat([head, value])
  }
  async function* whole() {
    if (head.length > 0) yield head
    yield* source
  }
  const isGzip = gzipMagic.every((byte, index) => head[index] === byte)
  // The loop over the last stream gets the errors of both.
  yield* isGzip ? pipeline(Readable.from(whole()), createGunzip(), () => {}) : whole()
}

/** The reason why data cannot be decompressed; undefined for any other error. */
export function explainInputError(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'Z_BUF_ERROR') return 'the gzip data ends here: the file was cut off'
  return code === 'Z_DATA_ERROR' ? 'the gzip data is damaged from here on' : undefined
}
