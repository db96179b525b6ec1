/**
 * Permissions and features follow from roles and plans, so few lists differ. Beyond this number
 * lists are not interned.
 */
const maxInterned = 1000

/**
 * Interns lists of permissions and features: a hundred thousand copies would take most of the
 * memory.
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
