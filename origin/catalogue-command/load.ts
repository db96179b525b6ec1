import { readFile } from 'node:fs/promises'
import { CommandError } from '../../shared/node/cli.ts'
import type { Catalogue } from '../catalogue/catalogue.ts'
import { readCatalogueFile } from './file/read.ts'

/** @throws CommandError where the file cannot be read; CatalogueFileError */
export async function loadCatalogue(path: string): Promise<Catalogue> {
  let bytes: Uint8Array
  try {
    bytes = await readFile(path)
  } catch (cause) {
    throw new CommandError(`${path} cannot be read: ${(cause as NodeJS.ErrnoException).code}`, { cause })
  }
  return readCatalogueFile(bytes, path)
}
