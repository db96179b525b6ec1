import { dueAt, type KeyAge, type KeyWaits } from './rules.ts'

/** A line for each key: its id, its state, the start of that state and its next step. */
export function formatKeys(keys: readonly KeyAge[], waits: KeyWaits): string[] {
  const published = keys.find(({ state }) => state === 'published')

  function next(key: KeyAge): string {
    const at = dueAt(key, waits).toISOString()
    switch (key.state) {
      case 'published':
        return `signs from ${at}`
      case 'signing':
        return published
          ? `retires from ${dueAt(published, waits).toISOString()}`
          : `successor published from ${at}`
      case 'retiring':
        return `gone from ${at}`
    }
  }

  return keys.map(
    (key) => `${key.kid}  ${key.state.padEnd(9)}  since ${key.stateSince.toISOString()}  ${next(key)}`,
  )
}
