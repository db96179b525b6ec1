/** The names that clients and upstreams use are few; those that an attacker makes up are not remembered. */
const mostRemembered = 2000

/** What is decided by a field's name alone, decided once for each spelling. */
export function rememberNames<T>(judge: (name: string) => T): (name: string) => T {
  const judged = new Map<string, T>()
  return function judgeOnce(name) {
    const known = judged.get(name)
    if (known !== undefined) return known
    const verdict = judge(name)
    if (judged.size < mostRemembered) judged.set(name, verdict)
    return verdict
  }
}
