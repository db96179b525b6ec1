import postgres from 'postgres'

export const sql = postgres(process.env.MONOLITH_DATABASE_URL, { max: 5, onnotice: () => {} })

export async function createTables() {
  await sql`
    create table if not exists users (
      id bigint generated always as identity primary key,
      email text unique,
      password_hash text,
      created_at timestamptz not null default now()
    )`
  await sql`
    create table if not exists orders (
      id bigint generated always as identity primary key,
      user_id bigint not null references users,
      item text not null
    )`
  // The one change for Gatehouse: which of its accounts a user is.
  await sql`alter table users add column if not exists gatehouse_id uuid unique`
}
