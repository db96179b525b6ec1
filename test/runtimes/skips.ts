/** A test that a runtime cannot pass, by runtime and name; the reason is a heading of docs/runtimes.md. */
export const skips: Record<string, Record<string, string>> = {}
