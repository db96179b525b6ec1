import { CommandError } from '../../shared/node/cli.ts'
import { configFromEnvironment } from '../../shared/node/environment.ts'
import { createLog } from '../../shared/node/log.ts'
import { withDatabase } from '../db/command-database.ts'
import { createCommandDatabase } from '../db/database.ts'
import type { Sql } from '../db/types.ts'
import { createEncryption, type Encryption } from '../keys/encryption.ts'
import { selectKeys } from '../keys/queries.ts'
import { decryptKey, KeyDecryptionError } from '../keys/stored-key.ts'
import type { AccountRules, GivenAccount } from './account.ts'
import { createAccountReader } from './account-reader.ts'
import { explainInputError, type Input, openInput } from './open-input.ts'
import { createProgressBar } from './progress-bar.ts'
import { readLines } from './read-lines.ts'
import { highestImportedLevel } from './rules.ts'
import { createAccountImporter, type ImportOutcome } from './service.ts'

export interface ImportCommand {
  kind: 'import'
  /** `-`: standard input. */
  file: string
  isDryRun: boolean
  /** Roles that the file may give beyond those of every import. */
  allowedRoles: readonly string[]
}

/** Accounts in a transaction: a larger one is hardly faster, and holds locks for longer. */
const batchAccounts = 1000

/** Characters of metadata in a transaction, so that large ones do not fill the memory. */
const batchMetadataCharacters = 4 * 1024 * 1024

/** Imports a file. @throws CommandError where lines were rejected */
export async function runImport(command: ImportCommand): Promise<void> {
  const config = configFromEnvironment([
    'DATABASE_URL',
    'LOG_LEVEL',
    'KEY_ENCRYPTION_KEY',
    'PASSWORD_HASH_COST',
    'IMPORTED_HASH_COST',
    'LEGACY_VERIFIER_URL',
    'LEGACY_VERIFIER_SECRET',
  ])
  const input = await openInput(command.file)
  const sql = createCommandDatabase(config.DATABASE_URL, createLog('accounts', config.LOG_LEVEL))
  const encryption = createEncryption(config.KEY_ENCRYPTION_KEY)
  const rules = {
    hashCost: Math.max(config.PASSWORD_HASH_COST, config.IMPORTED_HASH_COST ?? 0),
    hasVerifier: config.LEGACY_VERIFIER_URL !== undefined,
  }
  await withDatabase(sql, async () => {
    await requireOwnKey(sql, encryption)
    const counts = await importFile(sql, encryption, { input, command, rules })
    if (counts.rejected > 0) throw new CommandError(`Rejected ${counts.rejected} of ${counts.lines} lines.`)
  })
}

/** Secrets encrypted with another key than the origin's would be lost. */
async function requireOwnKey(sql: Sql, encryption: Encryption): Promise<void> {
  try {
    for (const key of await selectKeys(sql)) decryptKey(encryption, key)
  } catch (error) {
    if (!(error instanceof KeyDecryptionError)) throw error
    throw new CommandError(error.message, { cause: error })
  }
}

/** Characters of a printed reason, which may name an unknown field of any length. */
const maxReason = 500

/** A terminal obeys control characters, and a line break forges the line of another account. */
const printable = (text: string) =>
  text.slice(0, maxReason).replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, (character) => {
    return `\\u{${character.codePointAt(0)?.toString(16)}}`
  })

interface FileImport {
  input: Input
  command: ImportCommand
  rules: AccountRules
}

async function importFile(sql: Sql, encryption: Encryption, { input, command, rules }: FileImport) {
  const importer = createAccountImporter({ sql, encryption })
  const readUniqueAccount = createAccountReader({ unit: 'line', ...rules })
  const options = {
    grant: { highestLevel: highestImportedLevel, roles: command.allowedRoles },
    isDryRun: command.isDryRun,
    context: { ip: null, userAgent: 'npm run accounts', requestId: crypto.randomUUID() },
  }
  const startedAt = performance.now()
  const bar = createProgressBar(process.stderr, startedAt)
  const counts = { lines: 0, created: 0, updated: 0, unchanged: 0, rejected: 0 }
  let batch: { number: number; account: GivenAccount }[] = []
  let metadataCharacters = 0

  function count(number: number, outcome: ImportOutcome) {
    counts.lines += 1
    counts[outcome.kind] += 1
    if (outcome.kind !== 'rejected') return
    bar.clear()
    process.stderr.write(`line ${number}: ${printable(outcome.reason)}\n`)
  }

  async function flush() {
    const accounts = batch.map(({ account }) => account)
    const outcomes = await importer.import(accounts, options)
    for (const [index, outcome] of outcomes.entries()) count(batch[index]?.number ?? 0, outcome)
    batch = []
    metadataCharacters = 0
    bar.show({ lines: counts.lines, ...input.progress() })
  }

  for await (const line of readLines(input.chunks, explainInputError)) {
    const read = line.kind === 'line' ? readUniqueAccount(line.value, line.number) : line
    if (read.kind === 'rejected') {
      count(line.number, read)
      continue
    }
    batch.push({ number: line.number, account: read.account })
    metadataCharacters += JSON.stringify(read.account.state.metadata).length
    if (batch.length === batchAccounts || metadataCharacters > batchMetadataCharacters) await flush()
  }
  await flush()
  bar.clear()
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1)
  const summary = `${counts.created} created, ${counts.updated} updated, ${counts.unchanged} unchanged`
  process.stdout.write(
    `${command.isDryRun ? 'Dry run: ' : ''}${summary}, ${counts.rejected} rejected in ${seconds} s.\n`,
  )
  return counts
}
