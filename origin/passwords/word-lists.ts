import { type Options, ZxcvbnFactory } from '@zxcvbn-ts/core'
import { adjacencyGraphs, dictionary as common } from '@zxcvbn-ts/language-common'
import { dictionary as czech } from '@zxcvbn-ts/language-cs'
import { dictionary as german } from '@zxcvbn-ts/language-de'
import { dictionary as english, translations } from '@zxcvbn-ts/language-en'
import { dictionary as spanish } from '@zxcvbn-ts/language-es-es'
import { dictionary as finnish } from '@zxcvbn-ts/language-fi'
import { dictionary as french } from '@zxcvbn-ts/language-fr'
import { dictionary as indonesian } from '@zxcvbn-ts/language-id'
import { dictionary as italian } from '@zxcvbn-ts/language-it'
import { dictionary as japanese } from '@zxcvbn-ts/language-ja'
import { dictionary as dutch } from '@zxcvbn-ts/language-nl-be'
import { dictionary as polish } from '@zxcvbn-ts/language-pl'
import { dictionary as portuguese } from '@zxcvbn-ts/language-pt-br'

type Lists = Record<string, readonly (string | number)[]>

/**
 * Words per list of each language other than English, the most frequent first: a thread keeps about
 * 80 MB.
 */
const wordsPerList = 10_000

/**
 * Spellings with digits for letters per password; with the default one password can take half a
 * second.
 */
const l33tMaxSubstitutions = 16

/** Rank by word, from 1, without a prototype: `constructor` is a word like any other. */
type Ranks = Record<string, number>

/** Adds words with and without accents; each keeps its best rank. */
function addWords(ranks: Ranks, words: Lists[string], most = words.length): void {
  for (let i = 0; i < Math.min(words.length, most); i++) {
    const word = String(words[i])
    addWord(ranks, word, i + 1)
    if (/[^\p{ASCII}]/u.test(word)) addWord(ranks, word.normalize('NFD').replace(/\p{M}/gu, ''), i + 1)
  }
}

function addWord(ranks: Ranks, word: string, rank: number): void {
  const known = ranks[word]
  if (known === undefined || known > rank) ranks[word] = rank
}

function addDictionary({ rankedDictionaries, rankedDictionariesMaxWordSize }: Options, name: string) {
  const ranks: Ranks = Object.create(null)
  rankedDictionaries[name] = ranks
  return {
    ranks,
    close() {
      let longest = 0
      for (const word in ranks) longest = Math.max(longest, word.length)
      rankedDictionariesMaxWordSize[name] = longest
    },
  }
}

/**
 * Estimates guesses by the words of twelve languages. The lists are merged into one dictionary:
 * zxcvbn looks every part of a password up in each, and one takes a fifth of the time.
 */
export function createEstimator(): ZxcvbnFactory {
  const zxcvbn = new ZxcvbnFactory({ graphs: adjacencyGraphs, translations, l33tMaxSubstitutions })
  // The public option takes lists ordered by rank, which merged lists are not.
  const { options } = zxcvbn as unknown as { options: Options }
  const words = addDictionary(options, 'words')
  const add = (lists: Lists, most?: number) => {
    for (const [name, list] of Object.entries(lists)) {
      // zxcvbn finds sequences such as days and numbers by the name of their list.
      if (!options.isWordSequence(name)) addWords(words.ranks, list, most)
      else if (lists === english) addSequence(name, list)
    }
  }
  const addSequence = (name: string, list: Lists[string]) => {
    const sequence = addDictionary(options, name)
    addWords(sequence.ranks, list)
    sequence.close()
  }
  add(english)
  for (const lists of [
    czech,
    dutch,
    finnish,
    french,
    german,
    indonesian,
    italian,
    japanese,
    polish,
    portuguese,
    spanish,
  ])
    add(lists, wordsPerList)
  words.close()
  const passwords = addDictionary(options, 'passwords')
  addWords(passwords.ranks, common['passwords-common'])
  passwords.close()
  const diceware = addDictionary(options, 'diceware')
  addWords(diceware.ranks, common['diceware-common'])
  diceware.close()
  return zxcvbn
}
