import { readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import postgres, { type Sql } from 'postgres'
import { run } from '../process/run.ts'
import { type PrivatePostgres, startPrivatePostgres } from './postgres.ts'
import { findPostgresBinaries } from './postgres-binaries.ts'

export type FailoverPostgres = Awaited<ReturnType<typeof startFailoverPostgres>>

interface Address {
  host: string
  port: number
}

interface Options {
  /** Opens the way from a node to the other one, as a proxy. @returns its port */
  openLink: (target: () => Address) => Promise<number>
  /** Seconds by which a standby's queries lag behind: a decision from a standby is a wrong one. */
  applyDelaySeconds: number
}

/** How long a standby may take until it confirms commits. */
const syncTimeoutMs = 30_000

/**
 * Two servers, of which one is the primary and the other its synchronous standby, with failovers
 * in both directions. As a failover manager does it: the old primary is ended first, and comes back
 * as a standby with a new copy. Until then the new primary confirms commits alone.
 */
export async function startFailoverPostgres({ openLink, applyDelaySeconds }: Options) {
  const binaries = await findPostgresBinaries()
  const nodes: PrivatePostgres[] = []
  for (const other of [1, 0]) {
    const port = await openLink(() => ({ host: '127.0.0.1', port: nodes[other]?.port ?? 0 }))
    const primary_conninfo = `host=127.0.0.1 port=${port} user=postgres application_name=standby`
    const recovery_min_apply_delay = `${applyDelaySeconds}s`
    const parameters = {
      wal_keep_size: '256MB',
      wal_retrieve_retry_interval: '200ms',
      // A connection that is lost without a word is made anew.
      wal_receiver_timeout: '3s',
      wal_sender_timeout: '3s',
      // Queries at a standby are not cancelled: among them is the one that promotes it.
      max_standby_streaming_delay: '-1',
      recovery_min_apply_delay,
      primary_conninfo,
    }
    nodes.push(await startPrivatePostgres({ binaries, parameters }))
  }
  let primaryNumber = 0
  const primary = () => nodes[primaryNumber] as PrivatePostgres
  const standby = () => nodes[1 - primaryNumber] as PrivatePostgres

  /** Resolves when the standby has all that is committed now. */
  async function untilSynchronous(): Promise<void> {
    await ask(primary().url, async (sql) => {
      const [{ lsn }] = await sql<[{ lsn: string }]>`select pg_current_wal_lsn()::text as lsn`
      const deadline = Date.now() + syncTimeoutMs
      for (;;) {
        const rows = await sql`
          select from pg_stat_replication
          where state = 'streaming' and sync_state = 'sync' and flush_lsn >= ${lsn}::pg_lsn`
        if (rows.length > 0) return
        if (Date.now() > deadline)
          throw new Error(`the standby did not confirm commits in ${syncTimeoutMs} ms`)
        await sleep(50)
      }
    })
  }

  /** Makes the other node a standby with a copy of the primary, and waits until it confirms. */
  async function rejoin(): Promise<void> {
    await standby().kill()
    await ask(primary().url, (sql) => copyCluster(sql, primary().dataDir, standby().dataDir))
    await standby().restart()
    await ask(primary().url, async (sql) => {
      await sql`alter system set synchronous_standby_names = '*'`
      await sql`select pg_reload_conf()`
    })
    await untilSynchronous()
  }

  await rejoin()
  return {
    nodes,
    primary,
    standby,
    createDatabase: (name: string) => ask(primary().url, (sql) => sql`create database ${sql(name)}`),
    untilSynchronous,
    rejoin,
    /** Ends the primary and promotes the standby, which must be synchronous. */
    async failOver(): Promise<void> {
      await primary().kill()
      await ask(standby().url, (sql) => sql`select pg_promote()`)
      primaryNumber = 1 - primaryNumber
    },
    async stop(): Promise<void> {
      await Promise.all(nodes.map((node) => node.stop()))
    },
  }
}

/**
 * A copy by the low-level API of base backups, since not every installation has pg_basebackup. The
 * standby streams the WAL that the copy needs.
 */
async function copyCluster(sql: Sql, from: string, to: string): Promise<void> {
  await sql`select pg_backup_start('standby', true)`
  for (const name of await readdir(to)) await rm(join(to, name), { recursive: true })
  const left = ['pg_wal', 'postmaster.pid', 'postmaster.opts', 'postgresql.auto.conf']
  const names = (await readdir(from)).filter((name) => !left.includes(name))
  await run('cp', ['-a', ...names.map((name) => join(from, name)), to]).catch((error: Error) => {
    // A file that is removed meanwhile is restored, or removed again, by the WAL.
    if (!/^cp: .*No such file/m.test(error.message)) throw error
  })
  const [{ label }] = await sql<[{ label: string }]>`
    select labelfile as label from pg_backup_stop(wait_for_archive => false)`
  await run('mkdir', ['-p', join(to, 'pg_wal/archive_status')])
  await writeFile(join(to, 'backup_label'), label)
  await writeFile(join(to, 'standby.signal'), '')
  await writeFile(join(to, 'postgresql.auto.conf'), '')
  const { uid, gid } = await stat(from)
  await run('chown', ['-R', `${uid}:${gid}`, to])
}

async function ask<Result>(url: string, work: (sql: Sql) => PromiseLike<Result>): Promise<Result> {
  const sql = postgres(url, { max: 1, onnotice: () => {} })
  try {
    return await work(sql)
  } finally {
    await sql.end({ timeout: 1 })
  }
}
