import { ConfigError, variables } from '../../shared/config.ts'
import { CommandError, runCommand } from '../../shared/node/cli.ts'
import { configFromEnvironment } from '../../shared/node/environment.ts'
import { createLog } from '../../shared/node/log.ts'
import { withDatabase } from '../db/command-database.ts'
import { createCommandDatabase } from '../db/database.ts'
import { type Command, parseCommand, usage } from './command-line.ts'
import { createEncryption, type Encryption } from './encryption.ts'
import { createFirstKey } from './first-key.ts'
import { formatKeys } from './format-keys.ts'
import { selectKeys } from './queries.ts'
import { reencrypt } from './reencrypt.ts'
import { assertionKeyWaits, keyUpkeepSeconds, keyWaits, verifierCacheSeconds } from './rules.ts'
import { createKeyService } from './service.ts'
import { KeyDecryptionError } from './stored-key.ts'

const print = (line: string) => process.stdout.write(`${line}\n`)

/**
 * The waits come from variables that the origins use for their steps, too: `list` is right where
 * both have the same values.
 */
async function run(command: Command): Promise<void> {
  const oldEncryption = command.kind === 'reseal' ? encryptionFromOldKey() : undefined
  const config = configFromEnvironment(
    [
      'DATABASE_URL',
      'LOG_LEVEL',
      'KEY_ENCRYPTION_KEY',
      'JWKS_CACHE_SECONDS',
      'ACCESS_TOKEN_SECONDS',
      'SERVICE_TOKEN_SECONDS',
      'SIGNING_KEY_DAYS',
    ],
    function requireOldKey() {
      if (command.kind === 'reseal' && !oldEncryption)
        throw new ConfigError(['OLD_KEY_ENCRYPTION_KEY must be the former KEY_ENCRYPTION_KEY'])
    },
  )
  const encryption = createEncryption(config.KEY_ENCRYPTION_KEY)
  const ofAssertions = 'assertions' in command && command.assertions === true
  const table = ofAssertions ? 'assertion_keys' : 'signing_keys'
  const waits = ofAssertions ? assertionKeyWaits(config) : keyWaits(config)
  const sql = createCommandDatabase(config.DATABASE_URL, createLog('keys', config.LOG_LEVEL))
  const service = createKeyService({ sql, encryption, waits, table })
  const operator = { ip: null, userAgent: 'npm run keys', requestId: crypto.randomUUID() }
  await withDatabase(sql, async () => {
    switch (command.kind) {
      case 'create': {
        const kid = await createFirstKey(sql, encryption, operator)
        return void print(kid ? `Made the signing key ${kid}.` : 'There is a signing key already.')
      }
      case 'list': {
        for (const line of formatKeys(await selectKeys(sql, table), waits)) print(line)
        return
      }
      case 'rotate': {
        const kid = await service.publishSuccessor(operator)
        if (!kid) throw new CommandError('A successor is published already, or no key signs: see list.')
        return void print(`Published ${kid}. It signs in ${waits.published} s, by the origins' upkeep.`)
      }
      case 'revoke': {
        const { kid, evenInUse } = command
        const outcome = await service.revoke(kid, { evenInUse }, operator)
        switch (outcome.kind) {
          case 'unknown':
            throw new CommandError(`There is no key ${kid}.`)
          case 'in_use':
            throw new CommandError(
              `${kid} is ${outcome.state}: without it every ${ofAssertions ? 'assertion' : 'token'} that it signed is refused. Add --now to revoke it all the same.`,
            )
          case 'revoked':
            print(`Revoked ${kid}, which was ${outcome.state}.`)
            if (outcome.signing) print(`${outcome.signing} signs now.`)
            if (outcome.state !== 'published' && ofAssertions)
              print(
                `Origins and gateways follow within 2 min, services within ${verifierCacheSeconds} s of that. ` +
                  'After a leak restart the services: docs/runbooks/keys.md.',
              )
            else if (outcome.state !== 'published')
              print(
                `Origins follow within ${keyUpkeepSeconds} s, gateways within ${2 * config.JWKS_CACHE_SECONDS} s of that. ` +
                  'After a leak restart the origins, then the gateways: docs/runbooks/keys.md.',
              )
            return
        }
        return
      }
      case 'reseal': {
        const from = oldEncryption ?? encryption
        const { reencrypted, kept, lost } = await reencrypt(sql, { from, to: encryption }, operator)
        print(`Resealed ${reencrypted}, found ${kept} under KEY_ENCRYPTION_KEY already.`)
        if (lost > 0) print(`${lost} mails decrypt with neither key and will not be sent.`)
      }
    }
  })
}

/** OLD_KEY_ENCRYPTION_KEY is read here only: no service needs it. */
function encryptionFromOldKey(): Encryption | undefined {
  const { data } = variables.KEY_ENCRYPTION_KEY.safeParse(process.env.OLD_KEY_ENCRYPTION_KEY)
  return data && createEncryption(data)
}

await runCommand(async () => run(parseCommand(process.argv.slice(2))), {
  usage,
  expectedErrors: [KeyDecryptionError],
})
