import { describeSchemaFault, listSchemaFaults } from '../../../shared/lib/schema-faults.ts'
import { readYaml, YamlError, type YamlFault, type YamlSource } from '../../../shared/lib/yaml-source.ts'
import type { Catalogue } from '../../catalogue/catalogue.ts'
import { findFileFaults, listNames } from './rules.ts'
import { allowedKeys, type CatalogueFile, catalogueFileSchema } from './schema.ts'

/** Reasons why a catalogue file is rejected, one a line: `catalogue.yaml:12:5: reason`. */
export class CatalogueFileError extends Error {
  constructor(file: string, faults: readonly YamlFault[]) {
    super(faults.map(({ line, column, reason }) => `${file}:${line}:${column}: ${reason}`).join('\n'))
    this.name = 'CatalogueFileError'
  }
}

/** Bytes of a file; the names that fit into a token take a hundredth. */
const largestFile = 1024 * 1024

/** Faults that an error lists: a file may have thousands. */
const mostFaults = 20

const lineFeed = 0x0a

/**
 * Reads a catalogue file in YAML.
 *
 * @param file its name, for the reasons
 * @throws CatalogueFileError with the line and the column of each fault, and what is allowed there
 */
export function readCatalogueFile(bytes: Uint8Array, file: string): Catalogue {
  const fail = (faults: readonly YamlFault[]) => new CatalogueFileError(file, faults.slice(0, mostFaults))
  if (bytes.length > largestFile)
    throw fail([{ line: 1, column: 1, reason: `${bytes.length} bytes, of at most ${largestFile}` }])
  const text = decodeUtf8(bytes)
  if (typeof text !== 'string') throw fail([{ ...text, column: 1, reason: 'is not UTF-8' }])
  try {
    return toCatalogue(readContent(readYaml(text)))
  } catch (error) {
    if (!(error instanceof YamlError)) throw error
    throw fail(error.faults)
  }
}

/** The text, or the first line that is not UTF-8. */
function decodeUtf8(bytes: Uint8Array): string | { line: number } {
  const decode = (part: Uint8Array) => {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(part)
    } catch {
      return undefined
    }
  }
  const whole = decode(bytes)
  if (whole !== undefined) return whole
  let line = 1
  let start = 0
  for (let end = bytes.indexOf(lineFeed); end >= 0; end = bytes.indexOf(lineFeed, start)) {
    if (decode(bytes.subarray(start, end)) === undefined) break
    start = end + 1
    line += 1
  }
  return { line }
}

/** @throws YamlError */
function readContent({ content, positionOf }: YamlSource): CatalogueFile {
  const { data, error } = catalogueFileSchema.safeParse(content)
  if (error) {
    const faults = listSchemaFaults(error).map((fault): YamlFault => {
      const { path, isUnknownKey, isOfKey = false } = fault
      const of = isUnknownKey || isOfKey ? 'key' : 'value'
      const allowed = isUnknownKey ? `; allowed: ${listNames(allowedKeys(path.slice(0, -1)))}` : ''
      return { ...positionOf(path, of), reason: `${describeSchemaFault(fault, 'the file')}${allowed}` }
    })
    throw new YamlError(faults)
  }
  const faults = findFileFaults(data)
  if (faults.length === 0) return data
  throw new YamlError(
    faults.map(({ path, reason }) => ({ ...positionOf(path), reason: `${path.join('.')}: ${reason}` })),
  )
}

function toCatalogue(file: CatalogueFile): Catalogue {
  const described = (section: Record<string, string>) =>
    Object.entries(section).map(([name, description]) => ({ name, description }))
  const permissions = described(file.permissions)
  const all = permissions.map(({ name }) => name)
  return {
    permissions,
    roles: Object.entries(file.roles).map(([name, role]) => ({
      name,
      level: role.level,
      description: role.description,
      isDefault: role.default,
      permissions: (role.permissions ?? all).toSorted(),
    })),
    features: described(file.features),
    plans: Object.entries(file.plans).map(([name, plan]) => ({
      name,
      title: plan.title,
      priceCentsPerMonth: plan.price_cents_per_month,
      currency: plan.currency,
      apiQuotaPerHour: plan.api_quota_per_hour,
      features: plan.features.toSorted(),
    })),
  }
}
