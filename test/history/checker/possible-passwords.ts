/** A change that may have happened, and may still happen. */
interface OpenChange {
  from: string | undefined
  to: string
}

/**
 * The passwords that an account may have, where responses may be lost. An account may be missing,
 * which is `undefined`. Before the first observation it may have any, so that a part of a history
 * is judged by what it shows.
 */
export function createPossiblePasswords() {
  let possible: Set<string | undefined> | undefined
  const open: OpenChange[] = []

  /** Each open change happens once at most, and no password comes twice: one pass is enough. */
  function reachable(): Set<string | undefined> | undefined {
    if (!possible) return undefined
    const reached = new Set(possible)
    for (const { from, to } of open) if (reached.has(from)) reached.add(to)
    return reached
  }

  return {
    register(password: string, isAcknowledged: boolean): void {
      open.push({ from: undefined, to: password })
      if (isAcknowledged) possible = new Set([password])
      else possible ??= new Set([undefined])
    },
    /** A change was sent. */
    begin(from: string, to: string): void {
      open.push({ from, to })
    },
    /** The account has this password now. */
    observe(password: string): void {
      possible = new Set([password])
    },
    /** The account does not have this password now. */
    exclude(password: string): void {
      const rest = reachable()
      rest?.delete(password)
      possible = rest
    },
    mayBe: (password: string): boolean => reachable()?.has(password) ?? true,
    isCertain(password: string): boolean {
      const reached = reachable()
      return reached?.size === 1 && reached.has(password)
    },
  }
}
