import { CommandError, runCommand } from '../../../shared/node/cli.ts'
import { configFromEnvironment } from '../../../shared/node/environment.ts'
import { createLog } from '../../../shared/node/log.ts'
import { withDatabase } from '../../db/command-database.ts'
import { createCommandDatabase } from '../../db/database.ts'
import { createClient, disableClient, rotateClientSecret } from './clients.ts'
import { type Command, parseCommand, usage } from './command-line.ts'
import { selectClients } from './queries.ts'

async function run(command: Command): Promise<void> {
  const config = configFromEnvironment(['DATABASE_URL', 'LOG_LEVEL'])
  const sql = createCommandDatabase(config.DATABASE_URL, createLog('clients', config.LOG_LEVEL))
  const operator = { ip: null, userAgent: 'npm run clients', requestId: crypto.randomUUID() }
  await withDatabase(sql, async () => {
    switch (command.kind) {
      case 'create': {
        const secret = await createClient(sql, command, operator)
        if (secret === undefined) throw new CommandError(`There is a client ${command.id} already.`)
        return showSecret(command.id, secret)
      }
      case 'rotate': {
        const secret = await rotateClientSecret(sql, command.id, operator)
        if (secret === undefined)
          throw new CommandError(`There is no client ${command.id}, or it is disabled.`)
        return showSecret(command.id, secret)
      }
      case 'disable':
        if (!(await disableClient(sql, command.id, operator)))
          throw new CommandError(`There is no client ${command.id}, or it was disabled before.`)
        process.stdout.write(`Disabled ${command.id}. Its last tokens end within SERVICE_TOKEN_SECONDS.\n`)
        return
      case 'list':
        for (const { id, scopes, createdAt, disabledAt } of await selectClients(sql)) {
          const state = disabledAt ? `disabled ${disabledAt.toISOString()}` : 'active'
          process.stdout.write(`${id}  ${state}  made ${createdAt.toISOString()}  ${scopes.join(' ')}\n`)
        }
    }
  })
}

/**
 * Id and secret go to standard output, the advice to standard error.
 */
function showSecret(id: string, secret: string): void {
  process.stdout.write(`client_id: ${id}\nclient_secret: ${secret}\n`)
  process.stderr.write('Keep the secret now: only its hash is stored.\n')
}

await runCommand(async () => run(parseCommand(process.argv.slice(2))), { usage })
