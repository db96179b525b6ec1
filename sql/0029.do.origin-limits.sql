-- Code since schema 28.
--
-- Limits that origins count together where there is no Redis, by rate-limiter-flexible, which knows
-- the columns by their order. `expire` is in milliseconds since 1970. Unlogged: a count needs no
-- flush to disk, and counts begin anew after a crash, as those of a Redis that is back empty.

create unlogged table limit_counters (
  key text primary key check (length(key) <= 300),
  points integer not null default 0,
  expire bigint
);

create index limit_counters_expire on limit_counters (expire);

-- The cause of a mail with a budget. Code of schema 28 writes none, and its mail has no budget. A
-- mail that is dropped takes its link along.

alter table mail_outbox
  add column kind text,
  add column requested_by inet,
  add column token_hash bytea;
