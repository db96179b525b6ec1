/** Texts that come again and again are few; those that an attacker makes up are not remembered. */
const mostRemembered = 2000
const longestRemembered = 512

/** What follows from a text alone, found out once for each. What throws is tried again. */
export function rememberTexts<T>(judge: (text: string) => T): (text: string) => T {
  const judged = new Map<string, T>()
  return function judgeOnce(text) {
    const known = judged.get(text)
    if (known !== undefined) return known
    const verdict = judge(text)
    if (judged.size < mostRemembered && text.length <= longestRemembered) judged.set(text, verdict)
    return verdict
  }
}
