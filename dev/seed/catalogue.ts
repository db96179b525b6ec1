import { fileURLToPath } from 'node:url'
import { describeRejection } from '../../origin/catalogue/describe.ts'
import { applyCatalogue } from '../../origin/catalogue/service.ts'
import { loadCatalogue } from '../../origin/catalogue-command/load.ts'
import type { Sql } from '../../origin/db/types.ts'
import { CommandError } from '../../shared/node/cli.ts'

/** The catalogue of the example product. */
export const exampleCatalogue = fileURLToPath(new URL('../../examples/catalogue.yaml', import.meta.url))

/**
 * Sets a database up with the catalogue of a file.
 *
 * @throws CommandError, CatalogueFileError
 */
export async function seedCatalogue(sql: Sql, file = exampleCatalogue): Promise<void> {
  const context = { ip: null, userAgent: 'npm start', requestId: crypto.randomUUID() }
  const replacement = await applyCatalogue(sql, await loadCatalogue(file), context)
  if (replacement.kind === 'in_use' || replacement.kind === 'tokens_too_large')
    throw new CommandError(describeRejection(replacement).join('\n'))
}
