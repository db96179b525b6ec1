import { createCommonPasswords } from './common-passwords.ts'
import type { PasswordFault } from './rules.ts'
import { createEstimator } from './word-lists.ts'

const commonPasswords = createCommonPasswords()
const estimator = createEstimator()

/** Far more guesses than lockout and bcrypt allow; zxcvbn's score 3. */
const leastGuesses = 1e8

/**
 * The time of an estimate grows with the square of the length. A strong prefix of this length is
 * strong enough.
 */
const estimatedCharacters = 32

/** The characters above the digits: people add Shift, as in `123!@#`. */
const shifted = '!@#$%^&*()'
const withoutShift = (text: string) =>
  text.replace(/[!@#$%^&*()]/g, (sign) => String((shifted.indexOf(sign) + 1) % 10))

/** Every second character, for two rows of keys typed in turn: `1q2w3e4r`. */
const halfOf = (characters: readonly string[], first: 0 | 1) =>
  characters.filter((_, i) => i % 2 === first).join('')

const isPart = (part: number, whole: number) => part * 2 > whole

/** @returns the reason why a password is easy to guess, or null */
export function whyWeak({ password }: { password: string }): PasswordFault | null {
  if (commonPasswords.includes(password))
    return { code: 'too_common', detail: 'This is a commonly used password.' }
  const characters = [...password].slice(0, estimatedCharacters)
  const estimated = characters.join('')
  return (
    findGuess(estimated) ??
    (estimated === withoutShift(estimated) ? null : findGuess(withoutShift(estimated))) ??
    (isInterleaved(characters) ? easy : null)
  )
}

const easy: PasswordFault = { code: 'too_predictable', detail: 'It is easy to guess.' }

function findGuess(text: string): PasswordFault | null {
  const { guesses, feedback, sequence } = estimator.check(text)
  if (guesses >= leastGuesses) return null
  const isWord = sequence.some(
    ({ pattern, token }) => pattern === 'dictionary' && isPart(token.length, text.length),
  )
  return { code: isWord ? 'too_common' : 'too_predictable', detail: feedback.warning ?? easy.detail }
}

function isInterleaved(characters: readonly string[]): boolean {
  const { guesses } = estimator.check(halfOf(characters, 0))
  return guesses < leastGuesses && guesses * estimator.check(halfOf(characters, 1)).guesses < leastGuesses
}
