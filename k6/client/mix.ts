/**
 * Requests of a product's frontends, of 10,000. A user at work asks once in ten seconds, which
 * makes 100,000 of them 10,000 requests a second; each refreshes every 15 minutes (900 s / 10 s:
 * one request in 90) and logs in once in eight hours (one in 2,880); one read in twenty is of their
 * own profile, which the origin asks the database for.
 */
export const mix = { feed: 9386, me: 500, refresh: 111, login: 3 } as const

export type Kind = keyof typeof mix

export const kinds = Object.keys(mix) as Kind[]

const total = kinds.reduce((sum, kind) => sum + mix[kind], 0)

export const shareOf = (kind: Kind): number => mix[kind] / total

/** @param draw from 0 to 1 */
export function drawKind(draw: number): Kind {
  let left = draw * total
  for (const kind of kinds) {
    left -= mix[kind]
    if (left < 0) return kind
  }
  return 'feed'
}
