import { setTimeout as sleep } from 'node:timers/promises'

/** Takes long to load and no time to run. */
await sleep(1000)

export const echo = ({ text }: { text: string }): string => text
