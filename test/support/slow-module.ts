import { setTimeout as sleep } from 'node:timers/promises'

/** Loading this module takes a second; its function returns at once. */
await sleep(1000)

export const echo = ({ text }: { text: string }): string => text
