/**
 * A map of at most `2 * generationSize` entries that drops entries not used recently.
 *
 * Two generations: new and touched entries are hot; when hot is full it becomes cold and the old
 * cold one is dropped. A hit in hot costs one lookup and relinks nothing, unlike a
 * least-recently-used list.
 */
export function createBoundedMap<K, V>(generationSize: number) {
  let hot = new Map<K, V>()
  let cold = new Map<K, V>()

  function set(key: K, value: V) {
    hot.set(key, value)
    if (hot.size >= generationSize) {
      cold = hot
      hot = new Map()
    }
  }

  return {
    get(key: K): V | undefined {
      const value = hot.get(key)
      if (value !== undefined) return value
      const older = cold.get(key)
      if (older !== undefined) set(key, older)
      return older
    },
    set,
    delete(key: K) {
      hot.delete(key)
      cold.delete(key)
    },
    get size() {
      return hot.size + cold.size
    },
  }
}
