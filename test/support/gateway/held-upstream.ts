import type { IncomingMessage, ServerResponse } from 'node:http'

/** Request listener of an upstream that answers when it is told to. */
export function createHeldUpstream() {
  const held: ServerResponse[] = []
  return {
    held,
    listener: (_request: IncomingMessage, response: ServerResponse) => void held.push(response),
    release() {
      for (const response of held.splice(0)) response.end('ok')
    },
  }
}
