import type { Log } from '../../../shared/lib/log.ts'
import type { UpstreamDocument } from '../../openapi/upstream-document.ts'
import { type PolicyFile, readPolicyFile } from '../../policy/policy-file.ts'
import type { ServedPages } from './pages.ts'

/** Age at which the documents of upstreams are read again. */
const refreshMs = 300_000

interface ApiDescriptionOptions {
  pages: Pick<ServedPages, 'describe' | 'servesDocs'>
  documents: {
    refresh: (targets: Readonly<Record<string, string>>) => Promise<ReadonlyMap<string, UpstreamDocument>>
  }
  file: PolicyFile | undefined
  log: Log
}

/**
 * Keeps the API description in step with the policy file, and with the documents of upstreams that
 * the file names. Until a document has been read, its rows describe themselves.
 */
export function startApiDescription({ pages, documents, file, log }: ApiDescriptionOptions) {
  let current = file

  async function refresh(): Promise<void> {
    const described = current
    const targets = described ? readPolicyFile(described.text, described.name).openapi : {}
    if (!pages.servesDocs || Object.keys(targets).length === 0) return
    const read = await documents.refresh(targets)
    // A file that came meanwhile has its own refresh.
    if (described !== current) return
    try {
      pages.describe(described, read)
    } catch (error) {
      log.warn({ err: error }, 'api descriptions of upstreams not merged')
    }
  }

  const timer = setInterval(refresh, refreshMs).unref()
  void refresh()

  return {
    describe(next: PolicyFile): void {
      current = next
      pages.describe(next)
      void refresh()
    },
    stop: () => clearInterval(timer),
  }
}
