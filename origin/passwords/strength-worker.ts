import { ZxcvbnFactory } from '@zxcvbn-ts/core'
import { adjacencyGraphs, dictionary } from '@zxcvbn-ts/language-common'
import { dictionary as english, translations } from '@zxcvbn-ts/language-en'

/** Spellings with digits for letters that are tried; by default so many that one password can keep a thread for half a second. */
const l33tMaxSubstitutions = 16

const zxcvbn = new ZxcvbnFactory({
  dictionary: { ...dictionary, ...english },
  graphs: adjacencyGraphs,
  translations,
  l33tMaxSubstitutions,
})

/** 0 (guessed at once) to 4; 3 withstands 10^8 guesses, far beyond what lockout and bcrypt let anybody make. */
const strongEnough = 3

/** Estimating takes time that grows with the square of the length; a start this long that is strong is strong enough. */
const judgedCharacters = 32

/** @returns why the password is easy to guess, or null */
export function whyWeak(password: string): string | null {
  const { score, feedback } = zxcvbn.check([...password].slice(0, judgedCharacters).join(''))
  return score >= strongEnough ? null : (feedback.warning ?? 'It is easy to guess.')
}
