import { CommandError, runCommand } from '../../shared/node/cli.ts'
import { configFromEnvironment } from '../../shared/node/environment.ts'
import { createLog } from '../../shared/node/log.ts'
import type { Catalogue } from '../catalogue/catalogue.ts'
import { describeChange, describeRejection } from '../catalogue/describe.ts'
import { selectCatalogue } from '../catalogue/queries.ts'
import type { Replacement } from '../catalogue/replace.ts'
import { applyCatalogue, diffCatalogue } from '../catalogue/service.ts'
import { withDatabase } from '../db/command-database.ts'
import { createCommandDatabase } from '../db/database.ts'
import { type Command, parseCommand, usage } from './command-line.ts'
import { formatCatalogueFile } from './file/format.ts'
import { CatalogueFileError } from './file/read.ts'
import { loadCatalogue } from './load.ts'

const say = (line: string) => process.stdout.write(`${line}\n`)

async function run(command: Command): Promise<void> {
  const wanted = command.kind === 'show' ? undefined : await loadCatalogue(command.file)
  const config = configFromEnvironment(['DATABASE_URL', 'LOG_LEVEL'])
  const sql = createCommandDatabase(config.DATABASE_URL, createLog('catalogue', config.LOG_LEVEL))
  await withDatabase(sql, async () => {
    if (!wanted) process.stdout.write(formatCatalogueFile(await selectCatalogue(sql)))
    else if (command.kind === 'diff') report(await diffCatalogue(sql, wanted), 'Nothing was applied.')
    else report(await applyCatalogue(sql, wanted, operator()), appliedText(wanted))
  })
}

const operator = () => ({ ip: null, userAgent: 'npm run catalogue', requestId: crypto.randomUUID() })

const appliedText = ({ roles, permissions, plans, features }: Catalogue) =>
  `Applied: ${roles.length} roles, ${permissions.length} permissions, ${plans.length} plans, ${features.length} features.`

/** @throws CommandError for a catalogue that cannot be applied */
function report(replacement: Replacement, done: string): void {
  switch (replacement.kind) {
    case 'replaced':
      for (const line of describeChange(replacement.change)) say(line)
      say(done)
      return
    case 'unchanged':
      say('The database has this catalogue already.')
      return
    case 'in_use':
    case 'tokens_too_large':
      throw new CommandError([...describeRejection(replacement), 'Nothing was applied.'].join('\n'))
  }
}

await runCommand(async () => run(parseCommand(process.argv.slice(2))), {
  usage,
  expectedErrors: [CatalogueFileError],
})
