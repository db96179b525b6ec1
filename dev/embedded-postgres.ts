import { existsSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'
import { lockFolder } from './lock-folder.ts'

export interface EmbeddedPostgres {
  url: string
  stop(): Promise<void>
}

/**
 * PGlite is one backend. Its socket server hands it the messages of several clients as they come,
 * so that one's Bind can land between another's Bind and Execute (electric-sql/pglite#1046): a
 * service keeps to one connection. The rest are for a look with psql.
 */
export const servicePoolMax = 1
const connections = 5

/**
 * Starts PostgreSQL compiled to WebAssembly inside this process, for trying Gatehouse without a
 * database server. Commits survive the process, however it ends; they may not survive a power loss,
 * as PGlite never calls fsync. Queries run on this process's thread, so services that must stay
 * responsive belong in another process.
 *
 * @throws Error where another process uses `dataDir`, or it cannot be written
 */
export async function startEmbeddedPostgres({ dataDir }: { dataDir: string }): Promise<EmbeddedPostgres> {
  const lock = lockFolder(dataDir)
  try {
    const db = await openCluster(join(dataDir, 'cluster'))
    const server = new PGLiteSocketServer({ db, port: 0, maxConnections: connections })
    await server.start()
    return {
      url: `postgres://postgres@${server.getServerConn()}/postgres`,
      stop: async () => {
        await server.stop()
        await db.close()
        lock.release()
      },
    }
  } catch (error) {
    lock.release()
    throw error
  }
}

/**
 * The first start makes the cluster under another name, which takes seconds: one that was
 * interrupted in them is made anew, and what has the name is always whole.
 */
async function openCluster(cluster: string): Promise<PGlite> {
  if (!existsSync(cluster)) {
    const unfinished = `${cluster}.new`
    rmSync(unfinished, { recursive: true, force: true })
    const created = await PGlite.create(unfinished)
    await created.close()
    renameSync(unfinished, cluster)
  }
  return PGlite.create(cluster)
}
