import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { createSealing } from './sealing.ts'

const newKey = () => new Uint8Array(randomBytes(32))

describe('a sealed secret', () => {
  test('opens under its key and its name, with every character', async () => {
    const { seal, open } = createSealing(newKey())
    const secret = '{"d":"ключ 🔑"}'
    expect(open('key-1', seal('key-1', secret))).toBe(secret)
    expect(open('key-1', Buffer.from(seal('key-1', secret)))).toBe(secret)
  })

  test('shows nothing of itself, nor whether two are the same', async () => {
    const { seal } = createSealing(newKey())
    const [one, two] = [seal('key-1', 'a secret'), seal('key-1', 'a secret')]
    expect(Buffer.from(one).equals(Buffer.from(two))).toBe(false)
    expect(Buffer.from(one).includes('secret')).toBe(false)
  })

  test('does not open under another key', async () => {
    const sealed = createSealing(newKey()).seal('key-1', 'a secret')
    expect(() => createSealing(newKey()).open('key-1', sealed)).toThrow()
  })

  // Who can write to the database, but has no key, moves a sealed value to another row.
  test('does not open under another name', async () => {
    const { seal, open } = createSealing(newKey())
    expect(() => open('key-2', seal('key-1', 'a secret'))).toThrow()
  })

  test.each([
    ['nonce', 0],
    ['content', 12],
    ['tag', -1],
  ])('does not open where a bit of its %s was changed', async (_, at) => {
    const { seal, open } = createSealing(newKey())
    const sealed = seal('key-1', 'a secret')
    const index = at < 0 ? sealed.length + at : at
    sealed[index] = (sealed[index] ?? 0) ^ 1
    expect(() => open('key-1', sealed)).toThrow()
  })

  test('does not open where it was cut short', async () => {
    const { seal, open } = createSealing(newKey())
    const sealed = seal('key-1', 'a secret')
    for (const length of [0, 5, 12, sealed.length - 1])
      expect(() => open('key-1', sealed.slice(0, length))).toThrow()
  })
})
