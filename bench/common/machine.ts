import { cpus, loadavg, type } from 'node:os'
import type { Sql } from '../../origin/db/types.ts'

/** The machine and versions that figures depend on. */
export async function machineFacts(sql: Sql): Promise<Record<string, string | number>> {
  const [server] = await sql<[Record<string, string>]>`
    select current_setting('server_version') as version, current_setting('fsync') as fsync,
      current_setting('synchronous_commit') as synchronous_commit, current_setting('full_page_writes') as full_page_writes,
      current_setting('shared_buffers') as shared_buffers`
  const { version = '', ...settings } = server
  return {
    cores: cpus().length,
    processor: cpus()[0]?.model.trim() ?? '',
    system: `${type()} ${process.arch}`,
    'load at the start': loadavg()[0]?.toFixed(2) ?? '',
    node: process.version,
    postgres: version,
    ...settings,
  }
}
