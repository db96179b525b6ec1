/**
 * The form of an API key: a prefix, 256 random bits and a checksum, in base 62. The prefix lets
 * secret scanners find keys; the checksum lets the gateway reject a typo without a query.
 */
export const apiKeyPrefix = 'gh_live_'

const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
const base = BigInt(alphabet.length)

/** 62^43 is just above 2^256, and 62^6 above 2^32. */
const secretLength = 43
const checksumLength = 6

export const apiKeyLength = apiKeyPrefix.length + secretLength + checksumLength

/** For secret scanners; documented in docs/api-keys.md. */
export const apiKeyPattern = /^gh_live_[0-9A-Za-z]{49}$/

/** Characters of a key that its owner is shown, by which one key is told from another. */
const hintLength = apiKeyPrefix.length + 4

export const apiKeyHint = (key: string): string => key.slice(0, hintLength)

function toBase62(value: bigint, length: number): string {
  let text = ''
  for (let rest = value; text.length < length; rest /= base) text = alphabet[Number(rest % base)] + text
  return text
}

/** CRC-32 (ISO 3309) of ASCII characters. */
function crc32(text: string): number {
  let crc = 0xffffffff
  for (let i = 0; i < text.length; i++) {
    crc ^= text.charCodeAt(i)
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}

const withChecksum = (secret: string) => secret + toBase62(BigInt(crc32(secret)), checksumLength)

/** @param random 32 random bytes */
export function formatApiKey(random: Uint8Array): string {
  const value = random.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
  return apiKeyPrefix + withChecksum(toBase62(value, secretLength))
}

/** Whether a text has the form of a key, and its checksum is right. */
export function isApiKey(text: string): boolean {
  if (text.length !== apiKeyLength || !apiKeyPattern.test(text)) return false
  const rest = text.slice(apiKeyPrefix.length)
  return withChecksum(rest.slice(0, secretLength)) === rest
}

/**
 * Whether the value of a header holds an API key or a part of one, in any letter case: such a value
 * goes neither upstream nor into a log.
 */
export const holdsApiKey = (value: string): boolean => value.toLowerCase().includes(apiKeyPrefix)
