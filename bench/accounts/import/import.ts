import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { createTemporaryFolder, removeFolder } from '../../../tools/servers/process/temporary-folder.ts'
import { figure } from '../../common/report.ts'
import type { BenchPart } from '../environment/part.ts'
import { openDatabase } from '../environment/seed.ts'

const accounts = 100_000

const command = fileURLToPath(new URL('../../../origin/accounts-command/command.ts', import.meta.url))

/** Random text of a hash: nobody logs in. */
const text = (bytes: number) => randomBytes(bytes).toString('base64').replace(/=+$/, '')

/** Accounts as a product has them: hashes of several schemes, plans, metadata. */
function* lines(): Generator<string> {
  for (let number = 0; number < accounts; number++) {
    const hashes = [
      `$2b$12$${text(40).replaceAll('+', '.').slice(0, 53)}`,
      `$argon2id$v=19$m=65536,t=3,p=4$${text(16)}$${text(32)}`,
      `pbkdf2_sha256$600000$${text(12)}$${text(32)}`,
    ]
    const account = {
      external_id: `old-${number}`,
      email: `u${number}@example.com`,
      email_verified: true,
      display_name: `User ${number}`,
      plan: number % 10 === 0 ? 'pro' : 'free',
      created_at: new Date(1_500_000_000_000 + number * 1000).toISOString(),
      metadata: { crm: number, tags: ['import'] },
      password_hash: hashes[number % hashes.length],
    }
    yield `${JSON.stringify(account)}\n`
  }
}

/** `npm run accounts -- import` of 100,000 lines, into an empty database and again. */
export const importBench: BenchPart = async ({ server, secrets, report }) => {
  const databaseUrl = await server.createDatabase('bench_import')
  const sql = await openDatabase(databaseUrl)
  await sql.end()
  const folder = await createTemporaryFolder('import')
  const file = join(folder, 'users.ndjson')
  await pipeline(Readable.from(lines()), createWriteStream(file))

  async function run(what: string): Promise<(string | number)[]> {
    const startedAt = performance.now()
    const child = spawn(process.execPath, [command, 'import', file], {
      env: { PATH: process.env.PATH, DATABASE_URL: databaseUrl, ...secrets },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const said = (await child.stdout.setEncoding('utf8').toArray()).join('').trim()
    const seconds = (performance.now() - startedAt) / 1000
    if (!/^\d+ created, 0 updated, \d+ unchanged, 0 rejected/.test(said))
      throw new Error(`The import said: ${said}`)
    report.raw({ part: 'import', what, seconds, said })
    return [what, figure(seconds), figure(accounts / seconds), said]
  }

  const rows = [await run('new accounts'), await run('the same file again')]
  await removeFolder(folder)
  report.heading('Import')
  report.text(`\`npm run accounts -- import\` of ${accounts} lines.\n`)
  report.table([['what', 'seconds', 'lines per second', 'the command said'], ...rows])
}
