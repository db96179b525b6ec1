import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parsePolicyFile } from '../gateway/policy/policy-file.ts'
import { selectCatalogue } from '../origin/catalogue/queries.ts'
import type { Queryable } from '../origin/db/types.ts'

/** The rows of the demo service. */
export const demoPolicyFile = fileURLToPath(new URL('../examples/reports/policy.yaml', import.meta.url))

/**
 * Permissions and features that the demo service requires and the catalogue lacks: with its rows no
 * gateway would start.
 */
export async function missingDemoNames(sql: Queryable): Promise<string[]> {
  const rows = parsePolicyFile(readFileSync(demoPolicyFile, 'utf8'), demoPolicyFile)
  const required = rows.flatMap(({ row: { permissions, features = [] } }) => [
    ...(permissions?.all ?? []),
    ...(permissions?.any ?? []),
    ...features,
  ])
  const found = await selectCatalogue(sql)
  const known = [...found.permissions, ...found.features].map(({ name }) => name)
  return required.filter((name) => !known.includes(name))
}
