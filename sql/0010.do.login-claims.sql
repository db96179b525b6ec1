-- Code since schema 9.
--
-- Attempts at a password that have not ended, apart from those that failed: `claims` maps the id of each to when it
-- expires, in seconds since 1970. `tries` counts failures, so a row of claims alone has none. Code of schema 9 counts
-- an attempt in `tries` before it is evaluated and has no claims.

alter table login_counters
  add column claims jsonb not null default '{}',
  drop constraint login_counters_tries_check,
  add constraint login_counters_tries_check check (tries >= 0) not valid;

alter table login_counters validate constraint login_counters_tries_check;
