import { sql } from './database.js'

/** Writes the users as NDJSON, in the form that `npm run accounts -- import` reads. */

const users = sql`
  select id, email, password_hash, created_at from users where password_hash is not null order by id`

for await (const rows of users.cursor(1000)) {
  for (const { id, email, password_hash, created_at } of rows) {
    const line = {
      external_id: String(id),
      email,
      password_hash,
      created_at: created_at.toISOString(),
      // The shop finds its user by it when an account calls for the first time.
      metadata: { monolith_id: Number(id) },
    }
    process.stdout.write(`${JSON.stringify(line)}\n`)
  }
}
await sql.end()
