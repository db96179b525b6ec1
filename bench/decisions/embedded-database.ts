import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import postgres from 'postgres'
import { startEmbeddedPostgres } from '../../dev/embedded-postgres.ts'

/** How long the embedded database takes to its first answer: a new one, and one that exists. */

const folder = mkdtempSync(join(tmpdir(), 'gatehouse-embedded-'))
for (const name of ['a new database', 'an existing database']) {
  const startedAt = performance.now()
  const { url, stop } = await startEmbeddedPostgres({ dataDir: folder })
  const sql = postgres(url, { max: 1 })
  await sql`select 1`
  process.stdout.write(`${name.padEnd(44)} ${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`)
  await sql.end()
  await stop()
}
rmSync(folder, { recursive: true })
