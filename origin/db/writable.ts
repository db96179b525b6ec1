import type { Queryable } from './types.ts'

/**
 * Whether the database rejects writes: a standby does, or a setting, such as on a nearly full disk.
 */
export async function selectReadOnly(sql: Queryable): Promise<boolean> {
  const [row] = await sql<[{ readOnly: boolean }]>`
    select current_setting('transaction_read_only')::boolean as "readOnly"`
  return row.readOnly
}

/** @throws Error with the code `read_only` */
export async function requireWritable(sql: Queryable): Promise<void> {
  if (await selectReadOnly(sql))
    throw Object.assign(new Error('the database takes no writes'), { code: 'read_only' })
}
