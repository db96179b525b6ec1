const leaving = 'A client that leaves is noticed when the next piece of the response is written, not before'
const hops = 'The Connection field is read by the platform, and what it names is not told'
const readBody = 'The body of a GET is dropped by the platform before the Worker sees the request'
const silence = 'The silence inside a body is bounded by the platform'
const files = 'Pages are files, and there is no disk'

/**
 * A test that a runtime cannot pass, by runtime and name, and the reason, which docs/runtimes.md
 * gives in the same words.
 */
export const skips: Record<string, Record<string, string>> = {
  workers: {
    'a client that leaves in the middle of a response: the upstream request is aborted although it is silent':
      leaving,
    'a client that leaves before the response: the upstream request is aborted': leaving,
    "an upstream that is silent for longer than its row's idle_seconds: the response and the upstream request are aborted":
      silence,
    'the API description has the rows of the code and those of the policy file; the page shows it': files,
    '400 body_not_allowed: a GET with a body, which no runtime drops or forwards': readBody,
    'headers that Connection names end at the gateway': hops,
  },
}
