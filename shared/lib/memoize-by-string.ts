import { createBoundedMap } from './bounded-map.ts'

/**
 * Texts that come again and again are few. Those that an attacker makes up push each other out, and
 * what comes often stays.
 */
const rememberedTexts = 1000
const longestRemembered = 512

/**
 * What follows from a text alone, found out once for each that comes often. What throws is tried
 * again.
 */
export function rememberTexts<T>(judge: (text: string) => T): (text: string) => T {
  const judged = createBoundedMap<string, T>(rememberedTexts)
  return function judgeOnce(text) {
    const known = judged.get(text)
    if (known !== undefined) return known
    const verdict = judge(text)
    if (text.length <= longestRemembered) judged.set(text, verdict)
    return verdict
  }
}
