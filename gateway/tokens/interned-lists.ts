/**
 * Permissions and features go with roles and plans, so a few lists serve all users; beyond so many
 * each has its own.
 */
const maxInterned = 1000

/**
 * Lets users with the same permissions and features hold the same lists: a hundred thousand of each
 * would be most of the memory.
 */
export function createInternedLists() {
  const lists = new Map<string, string[]>()

  return function intern(list: string[]): string[] {
    const key = list.join('\n')
    const known = lists.get(key)
    if (known) return known
    if (lists.size < maxInterned) lists.set(key, list)
    return list
  }
}
