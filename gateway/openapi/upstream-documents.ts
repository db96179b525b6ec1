import type { Log } from '../../shared/lib/log.ts'
import type { UpstreamRequest } from '../ports.ts'
import { parseUpstreamDocument, type UpstreamDocument } from './upstream-document.ts'

/** Size of one document. */
const maxBytes = 1024 * 1024

/** Timeout of the response's head, and of each silence in its body. */
const deadlineMs = 3000

interface UpstreamDocumentsOptions {
  /** Requests a path of an upstream, with an assertion whose user is null. */
  request: (
    upstream: string,
    target: string,
    bounds: Pick<UpstreamRequest, 'deadlineMs' | 'idleMs' | 'signal'>,
  ) => Promise<Response>
  log: Log
}

/**
 * Reads the OpenAPI documents of upstreams, each bounded in time and size. A document that cannot
 * be read leaves the one before it in use.
 */
export function createUpstreamDocuments({ request, log }: UpstreamDocumentsOptions) {
  const known = new Map<string, UpstreamDocument>()

  async function read(upstream: string, target: string): Promise<void> {
    try {
      const signal = AbortSignal.timeout(deadlineMs * 2)
      const response = await request(upstream, target, { deadlineMs, idleMs: deadlineMs, signal })
      if (!response.ok) {
        await response.body?.cancel()
        throw new Error(`the upstream answered ${response.status}`)
      }
      known.set(upstream, parseUpstreamDocument(await readText(response)))
    } catch (error) {
      log.warn({ upstream, target, err: error }, 'api description of an upstream not read')
    }
  }

  return {
    /**
     * @param targets paths of the documents, by upstream; others are forgotten
     * @returns all documents that are known
     */
    async refresh(targets: Readonly<Record<string, string>>): Promise<ReadonlyMap<string, UpstreamDocument>> {
      for (const upstream of known.keys()) if (!Object.hasOwn(targets, upstream)) known.delete(upstream)
      await Promise.all(Object.entries(targets).map(([upstream, target]) => read(upstream, target)))
      return new Map(known)
    },
  }
}

/** @throws Error for a body of more than `maxBytes` */
async function readText(response: Response): Promise<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.byteLength
    if (length > maxBytes) throw new Error(`the document has more than ${maxBytes} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}
