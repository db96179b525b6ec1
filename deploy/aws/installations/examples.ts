import { fileURLToPath } from 'node:url'
import { type Installation, readInstallation } from '../configuration.ts'

/** The installations that checks synthesize: together they have every option on and off. */
export const examples = ['example', 'large'] as const

export const exampleFile = (name: string) => fileURLToPath(new URL(`${name}.yaml`, import.meta.url))

export const readExample = (name: string): Installation => readInstallation(exampleFile(name))
