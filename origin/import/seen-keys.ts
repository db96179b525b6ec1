import { createHash } from 'node:crypto'

/** Words of 32 bits of an entry: 128 bits of a digest, and a line. */
const words = 5

/** Entries; grows with the file. */
const firstCapacity = 1024

/**
 * Remembers on which line a key came first, in 40 to 80 bytes for each, whatever its length. Keys
 * are told apart by 128 bits of SHA-256.
 */
export class SeenKeys {
  private table = new Uint32Array(firstCapacity * words)
  private count = 0

  /** @returns the line of the same key before it; undefined for a new one, which is added */
  add(key: string, line: number): number | undefined {
    if ((this.count + 1) * 2 > this.table.length / words) this.grow()
    const digest = createHash('sha256').update(key).digest()
    const entry = [0, 4, 8, 12].map((at) => digest.readUInt32LE(at))
    const at = this.find(entry)
    const seenAt = this.table[at + 4]
    if (seenAt) return seenAt
    this.table.set([...entry, line], at)
    this.count += 1
    return undefined
  }

  /** @returns the position of the entry, or of the free one where it belongs */
  private find(entry: readonly number[]): number {
    const capacity = this.table.length / words
    let slot = (entry[0] ?? 0) % capacity
    while (true) {
      const at = slot * words
      if (!this.table[at + 4] || entry.every((word, index) => this.table[at + index] === word)) return at
      slot = (slot + 1) % capacity
    }
  }

  private grow(): void {
    const former = this.table
    this.table = new Uint32Array(former.length * 2)
    for (let at = 0; at < former.length; at += words) {
      if (!former[at + 4]) continue
      const entry = former.subarray(at, at + words)
      this.table.set(entry, this.find([...entry.subarray(0, 4)]))
    }
  }
}
