import type { Sql } from '../../../origin/db/types.ts'
import { createSessions, type SessionConfig } from '../../../origin/sessions/create-sessions.ts'
import { createOneKey } from './one-key.ts'

/** The origin's sessions in the process of a benchmark, with a signing key of its own. */
export async function createBenchSessions(config: SessionConfig, sql: Sql) {
  return createSessions(config, { sql, keys: await createOneKey() })
}
