import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** The arguments of Node in `npm run gateway` of a checkout, by default this one. */
export function gatewayArgs(checkout = root): string[] {
  const { scripts } = JSON.parse(readFileSync(join(checkout, 'package.json'), 'utf8'))
  const words: string[] = scripts.gateway.split(' ')
  return [...words.filter(isOption), join(checkout, words.at(-1) ?? '')]
}

/** Of these the options alone. */
export const gatewayNodeOptions = () => gatewayArgs().filter(isOption)

const isOption = (word: string) => word.startsWith('--')
