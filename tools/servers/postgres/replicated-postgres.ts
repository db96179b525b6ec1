import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import postgres from 'postgres'
import { run } from '../process/run.ts'
import { createTemporaryFolder, removeFolder } from '../process/temporary-folder.ts'
import { startPostgres } from './postgres.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'

export type ReplicatedPostgres = Awaited<ReturnType<typeof startReplicatedPostgres>>

/**
 * A primary and a hot standby that confirms each commit: both begin with copies of one cluster,
 * which takes no pg_basebackup.
 */
export async function startReplicatedPostgres() {
  const binaries = await findPostgresBinaries()
  const folder = await createTemporaryFolder('replicated')
  const copy = join(folder, 'data')
  const primary = await startPostgres({
    binaries,
    parameters: { synchronous_standby_names: '*', wal_keep_size: '256MB' },
    prepare: async (dataDir) => {
      await run('cp', ['-a', dataDir, copy])
    },
  })
  const { port } = new URL(primary.url)
  const standby = await startPostgres({
    binaries,
    parameters: {
      primary_conninfo: `host=127.0.0.1 port=${port} user=postgres application_name=standby`,
    },
    prepare: async (dataDir, user) => {
      await run('rm', ['-rf', dataDir])
      await run('cp', ['-a', copy, dataDir])
      await writeFile(join(dataDir, 'standby.signal'), '')
      if (user) await run('chown', [`${user.uid}:${user.gid}`, join(dataDir, 'standby.signal')])
    },
  })
  return {
    primary,
    standby,
    async promote() {
      const sql = postgres(standby.url, { max: 1 })
      try {
        await sql`select pg_promote()`
      } finally {
        await sql.end()
      }
    },
    async stop() {
      await standby.stop()
      await primary.stop()
      await removeFolder(folder)
    },
  }
}
