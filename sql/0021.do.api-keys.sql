-- Code since schema 20.
--
-- API keys: credentials of programs, made by users. Code of schema 20 leaves them alone.

create table api_keys (
  id uuid primary key default gen_random_uuid(),
  user_id uuid not null references user_accounts on delete cascade,
  name text not null check (length(name) between 1 and 80),
  -- SHA-256 of the whole key: the key itself is random, so a fast digest is as safe as a slow one.
  key_hash bytea not null unique check (octet_length(key_hash) = 32),
  -- The first characters, by which an owner recognizes the key.
  hint text not null check (length(hint) <= 16),
  -- What the key may do at most; what its owner lacks when it is used is not granted.
  permissions text[] not null,
  -- Networks that it may be used from, as CIDR blocks or addresses; none for every network.
  networks text[] not null,
  expires_at timestamptz not null,
  last_used_at timestamptz,
  revoked_at timestamptz,
  created_at timestamptz not null default now(),
  updated_at timestamptz not null default now()
);

create index api_keys_user_id on api_keys (user_id, created_at);
create index api_keys_expires_at on api_keys (expires_at);
create index api_keys_revoked_at on api_keys (revoked_at) where revoked_at is not null;

create trigger set_updated_at before update on api_keys for each row execute function set_updated_at();

-- Expired and revoked keys stay for as long as sessions that ended.
create or replace function upkeep_batch(job text, keep_days integer) returns bigint language plpgsql as $$
begin
  -- A wait for a table's lock holds up all later requests for it; a failure leaves the work to
  -- the next slot.
  perform set_config('lock_timeout', '3s', true);
  case job
    when 'refresh_views' then
      perform refresh_views();
      return 0;
    when 'make_partitions' then
      return make_partitions('login_attempts') + make_partitions('audit_logs');
    when 'login_attempts', 'audit_logs' then
      return remove_old_rows(job, keep_days);
    when 'rate_limit_logs' then
      return delete_batch(job, format('created_at < now() - make_interval(days => %L)', keep_days));
    when 'expired_tokens' then
      return delete_batch('tokens', $q$expires_at < now() - interval '1 day'$q$)
        + delete_batch('sessions', $q$expires_at < now() - interval '30 days'$q$)
        + delete_batch('sessions', $q$ended_at < now() - interval '30 days'$q$)
        + delete_batch('api_keys', $q$expires_at < now() - interval '30 days'$q$)
        + delete_batch('api_keys', $q$revoked_at < now() - interval '30 days'$q$)
        + delete_batch('login_counters', $q$window_ends_at < now() - interval '1 day'$q$)
        + delete_batch('revocations', $q$created_at < now() - interval '1 day'$q$)
        + delete_batch('spent_legacy_tokens', $q$expires_at < now() - interval '1 day'$q$);
    when 'mail_outbox' then
      return delete_batch(job, format(
        $q$next_attempt_at = 'infinity' and created_at < now() - make_interval(days => %L)$q$, keep_days
      ));
    when 'upkeep_runs' then
      return delete_batch(job, format('started_at < now() - make_interval(days => %L)', keep_days));
  end case;
end
$$;
