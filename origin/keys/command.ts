import { configFromEnvironment } from '../../shared/node/environment.ts'
import { createLog } from '../../shared/node/log.ts'
import { closeSeconds, createDatabase } from '../database.ts'
import { createFirstKey } from './key-ring.ts'
import { selectKeys } from './queries.ts'
import { createSealing } from './sealing.ts'

const usage = `npm run keys -- create   make the first signing key
npm run keys -- list     show the keys
`

const config = configFromEnvironment(['DATABASE_URL', 'KEY_ENCRYPTION_KEY', 'LOG_LEVEL'])
const sql = createDatabase({
  url: config.DATABASE_URL,
  poolMax: 1,
  idleSeconds: 5,
  connectSeconds: 10,
  statementSeconds: 30,
  log: createLog('keys', config.LOG_LEVEL),
})

switch (process.argv[2]) {
  case 'create': {
    const kid = await createFirstKey(sql, createSealing(config.KEY_ENCRYPTION_KEY))
    process.stdout.write(kid ? `Made the signing key ${kid}.\n` : 'There is a signing key already.\n')
    break
  }
  case 'list':
    for (const { kid, state } of await selectKeys(sql)) process.stdout.write(`${kid}  ${state}\n`)
    break
  default:
    process.stderr.write(usage)
    process.exitCode = 64
}
await sql.end({ timeout: closeSeconds })
