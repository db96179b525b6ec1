import { dirname } from 'node:path'
import type { Import } from './read-imports.ts'

/**
 * Files directly in these folders serve every subject or put the parts together: each is a node of
 * its own.
 */
const rootFolders = new Set([
  'gateway',
  'gateway/adapters',
  'gateway/adapters/node',
  'origin',
  'shared',
  'shared/node',
])

export const fileOf = (file: string): string => file

export const folderOf = (file: string): string => (rootFolders.has(dirname(file)) ? file : dirname(file))

/**
 * The groups of nodes in which each reaches each other by imports, by Tarjan's algorithm for
 * strongly connected components.
 *
 * @param nodeOf the node that a file belongs to
 * @returns for each group its imports, `from -> to`; none where there is no cycle
 */
export function findCycles(imports: readonly Import[], nodeOf: (file: string) => string): string[][] {
  const targets = new Map<string, Set<string>>()
  for (const { from, to } of imports) {
    const [node, target] = [nodeOf(from), nodeOf(to)]
    if (node === target && from !== to) continue
    targets.set(node, (targets.get(node) ?? new Set()).add(target))
  }

  const indexes = new Map<string, number>()
  const path: string[] = []
  const groups: Set<string>[] = []

  function visit(node: string): number {
    const index = indexes.size
    indexes.set(node, index)
    path.push(node)
    let low = index
    for (const target of targets.get(node) ?? []) {
      if (!indexes.has(target)) low = Math.min(low, visit(target))
      else if (path.includes(target)) low = Math.min(low, indexes.get(target) as number)
    }
    if (low === index) {
      const group = path.splice(path.indexOf(node))
      if (group.length > 1 || targets.get(node)?.has(node)) groups.push(new Set(group))
    }
    return low
  }

  for (const node of targets.keys()) if (!indexes.has(node)) visit(node)

  const isBetween = (group: Set<string>, { from, to }: Import) =>
    group.has(nodeOf(from)) && group.has(nodeOf(to)) && (nodeOf(from) !== nodeOf(to) || from === to)
  return groups.map((group) =>
    imports.filter((found) => isBetween(group, found)).map(({ from, to }) => `${from} -> ${to}`),
  )
}
