/** The headers that Gatehouse speaks in. Everything under `gatehouse-` is ours: a client's are removed at the gateway. */
export const assertionHeader = 'gatehouse-assertion'
export const requestIdHeader = 'x-request-id'

/** Some servers read `Gatehouse_Assertion` as `Gatehouse-Assertion`, so both spellings count. */
export function isInternalHeader(name: string): boolean {
  return name.toLowerCase().replaceAll('_', '-').startsWith('gatehouse-')
}
