import { CommandError, runCommand } from '../../../shared/node/cli.ts'
import { configFromEnvironment } from '../../../shared/node/environment.ts'
import { createLog } from '../../../shared/node/log.ts'
import { withDatabase } from '../../db/command-database.ts'
import { createCommandDatabase } from '../../db/database.ts'
import type { Sql } from '../../db/types.ts'
import {
  type ClientOperator,
  createClient,
  deleteClient,
  disableClient,
  endPreviousSecret,
  rotateClientSecret,
  setClientScopes,
} from './clients.ts'
import { type Command, parseCommand, usage } from './command-line.ts'
import { type ListedClient, selectClients } from './queries.ts'

async function run(command: Command): Promise<void> {
  const config = configFromEnvironment(['DATABASE_URL', 'LOG_LEVEL'])
  const sql = createCommandDatabase(config.DATABASE_URL, createLog('clients', config.LOG_LEVEL))
  const context = { ip: null, userAgent: 'npm run clients', requestId: crypto.randomUUID() }
  await withDatabase(sql, () => runOn(sql, command, { actorId: null, context }))
}

async function runOn(sql: Sql, command: Command, operator: ClientOperator): Promise<void> {
  const print = (text: string) => process.stdout.write(`${text}\n`)
  switch (command.kind) {
    case 'create': {
      const issued = await createClient(sql, command, operator)
      if (!issued) throw new CommandError(`There is a client ${command.id} already.`)
      showSecret(command.id, issued.secret)
      return
    }
    case 'rotate': {
      const outcome = await rotateClientSecret(sql, command, operator)
      if (outcome.kind !== 'rotated')
        throw new CommandError(`There is no client ${command.id}, or it is disabled.`)
      showSecret(command.id, outcome.secret)
      process.stderr.write(
        outcome.previousEndsAt
          ? `The old secret works until ${outcome.previousEndsAt.toISOString()}. If it leaked: npm run clients -- end-previous ${command.id}\n`
          : 'The old secret is void.\n',
      )
      return
    }
    case 'scopes':
      if (!(await setClientScopes(sql, command, operator)))
        throw new CommandError(`There is no client ${command.id}.`)
      print(
        `${command.id} has the scopes ${command.scopes.join(' ')} now. Its last tokens keep theirs for SERVICE_TOKEN_SECONDS.`,
      )
      return
    case 'end-previous':
      if (!(await endPreviousSecret(sql, command.id, operator)))
        throw new CommandError(`There is no client ${command.id}, or its old secret works no more.`)
      print(`The old secret of ${command.id} is void. Its last tokens end within SERVICE_TOKEN_SECONDS.`)
      return
    case 'disable':
      if (!(await disableClient(sql, command.id, operator)))
        throw new CommandError(`There is no client ${command.id}, or it was disabled before.`)
      print(`Disabled ${command.id}. Its last tokens end within SERVICE_TOKEN_SECONDS.`)
      return
    case 'delete':
      if (!(await deleteClient(sql, command.id, operator)))
        throw new CommandError(`There is no client ${command.id}.`)
      print(`Deleted ${command.id}. Its last tokens end within SERVICE_TOKEN_SECONDS.`)
      return
    case 'list':
      for (const client of await selectClients(sql)) print(describe(client))
  }
}

function describe({ id, scopes, createdAt, disabledAt, lastUsedAt, ...rest }: ListedClient): string {
  const { previousSecretEndsAt } = rest
  return [
    id,
    disabledAt ? `disabled ${disabledAt.toISOString()}` : 'active',
    `made ${createdAt.toISOString()}`,
    lastUsedAt ? `used ${lastUsedAt.toISOString()}` : 'never used',
    ...(previousSecretEndsAt ? [`old secret until ${previousSecretEndsAt.toISOString()}`] : []),
    scopes.join(' '),
  ].join('  ')
}

/**
 * Id and secret go to standard output, the advice to standard error.
 */
function showSecret(id: string, secret: string): void {
  process.stdout.write(`client_id: ${id}\nclient_secret: ${secret}\n`)
  process.stderr.write('Keep the secret now: only its hash is stored.\n')
}

await runCommand(async () => run(parseCommand(process.argv.slice(2))), { usage })
