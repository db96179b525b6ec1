import type { Queryable } from '../../origin/db/types.ts'

/**
 * Functions of this connection that draw without chance: what account n gets depends on n alone, so
 * that two databases of one size have the same accounts and a count can be foretold. md5 is here
 * for its spread, and protects nothing. Each names its parameters once and is what it is declared
 * to be, so that the planner inlines it.
 */
export async function createDraws(sql: Queryable): Promise<void> {
  await sql`
    create or replace function pg_temp.draw(what text, n bigint, below integer) returns integer
    language sql immutable as $$
      select mod(('x' || left(md5(what || ':' || n::text), 8))::bit(32)::bigint, below)::integer
    $$`
  // Formed as a random UUID (RFC 9562, section 5.4), which is what the API takes for an id.
  await sql`
    create or replace function pg_temp.draw_id(what text, n bigint) returns uuid
    language sql immutable as $$
      select overlay(overlay(md5(what || ':' || n::text) placing '4' from 13) placing 'a' from 17)::uuid
    $$`
  // No token has this digest: it was not made by digesting one.
  await sql`
    create or replace function pg_temp.draw_hash(what text, n bigint) returns bytea
    language sql immutable as $$
      select decode(md5(what || ':' || n::text) || md5(n::text || ':' || what), 'hex')
    $$`
  await sql`
    create or replace function pg_temp.draw_moment(what text, n bigint, since timestamptz) returns timestamptz
    language sql stable as $$
      select now() - (now() - since) * (pg_temp.draw(what, n, 100000) / 100000.0)
    $$`
  // 198.18.0.0/15 belongs to nobody (RFC 2544).
  await sql`
    create or replace function pg_temp.draw_ip(n bigint) returns inet
    language sql immutable as $$
      select inet '198.18.0.0' + pg_temp.draw('ip', n, 131072)
    $$`
  await sql`
    create or replace function pg_temp.draw_browser(n bigint) returns text
    language sql immutable as $$
      select (array[
        'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 Safari/605.1.15',
        'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36',
        'Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0',
        'Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148'
      ])[1 + pg_temp.draw('browser', n, 4)]
    $$`
}
