import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

function gatewayWords(checkout: string): string[] {
  const { scripts } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'))
  return scripts.gateway.split(' ')
}

/** The arguments of Node in `npm run gateway` of a checkout, by default this one. */
export function gatewayArgs(checkout = root): string[] {
  const words = gatewayWords(checkout)
  return [...words.filter(isOption), join(checkout, words.at(-1) ?? '')]
}

/** Of these the options alone. */
export const gatewayNodeOptions = () => gatewayArgs().filter(isOption)

/** The variables that the script sets: folders in the checkout. */
export const gatewayFolders = (checkout = root): Record<string, string> =>
  Object.fromEntries(
    gatewayWords(checkout)
      .filter((word) => /^[A-Z_]+=/.test(word))
      .map((word) => word.split('='))
      .map(([name, folder = '']) => [name, join(checkout, folder)]),
  )

const isOption = (word: string) => word.startsWith('--')
