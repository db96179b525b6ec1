import { chmod, cp } from 'node:fs/promises'
import { join } from 'node:path'
import { createTemporaryFolder, removeFolder } from '../process/temporary-folder.ts'
import { unpackAptPackage } from '../programs/apt-package.ts'
import { type RunningServer, startPostgres } from './postgres.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'

const packaged = /^\/usr\/lib\/postgresql\/(\d+)\/bin$/

/** The machine's PostgreSQL, where it came as a package beside which there is one of pg_cron. */
export async function packagedMajor(): Promise<string | undefined> {
  return packaged.exec(await findPostgresBinaries())?.[1]
}

/**
 * Starts a server whose maintenance database may have pg_cron. An extension has to lie among the
 * server's own files, so this is a copy of them: the machine's stay as they are.
 */
export async function startPgCronServer(major: string): Promise<RunningServer> {
  const folder = await createTemporaryFolder('pg-cron')
  try {
    const { root } = await unpackAptPackage(`postgresql-${major}-cron`)
    for (const part of ['lib', 'share'])
      await cp(`/usr/${part}/postgresql/${major}`, join(folder, 'usr', part, 'postgresql', major), {
        recursive: true,
        dereference: true,
      })
    await cp(join(root, 'usr'), join(folder, 'usr'), { recursive: true })
    await chmod(folder, 0o755)
    const server = await startPostgres({
      binaries: join(folder, 'usr/lib/postgresql', major, 'bin'),
      parameters: {
        shared_preload_libraries: 'pg_cron',
        'cron.database_name': 'postgres',
        'cron.host': '127.0.0.1',
      },
    })
    return {
      url: server.url,
      async stop() {
        await server.stop()
        await removeFolder(folder)
      },
    }
  } catch (error) {
    await removeFolder(folder)
    throw error
  }
}
