import { describe, expect, test } from 'vitest'
import { createBoundedMap } from './bounded-map.ts'

describe('createBoundedMap', () => {
  test('never holds more than two generations, however many keys come', () => {
    const map = createBoundedMap<number, number>(100)
    let largest = 0
    for (let key = 0; key < 100_000; key++) {
      map.set(key, key)
      largest = Math.max(largest, map.size)
    }
    expect(largest).toBeLessThanOrEqual(200)
    expect(map.get(0)).toBeUndefined()
    expect(map.get(99_999)).toBe(99_999)
  })

  test('keeps the newest generation whole', () => {
    const map = createBoundedMap<number, number>(100)
    for (let key = 0; key < 1000; key++) map.set(key, key)
    for (let key = 900; key < 1000; key++) expect(map.get(key)).toBe(key)
  })

  // A flood of keys that come once must not push out what is asked for all the time.
  test('a key that is read once a generation survives any number of others', () => {
    const map = createBoundedMap<string, string>(100)
    map.set('user', 'known')
    for (let key = 0; key < 10_000; key++) {
      map.set(`flood-${key}`, '')
      if (key % 50 === 0) expect(map.get('user')).toBe('known')
    }
    expect(map.get('user')).toBe('known')
  })

  test('a key set again has its new value, also where the old one is in the older generation', () => {
    const map = createBoundedMap<string, number>(2)
    map.set('key', 1)
    map.set('other', 1)
    map.set('key', 2)
    expect(map.get('key')).toBe(2)
  })

  test('a deleted key is gone from both generations', () => {
    const map = createBoundedMap<string, number>(2)
    map.set('key', 1)
    map.set('other', 1)
    map.get('key')
    map.delete('key')
    expect(map.get('key')).toBeUndefined()
  })
})
