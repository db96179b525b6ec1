-- Code since schema 19.
--
-- Tokens of former systems that were exchanged for a session, until they expire: each is exchanged
-- once. No account is named, so that a token stays spent whatever becomes of its account.

create table spent_legacy_tokens (
  -- SHA-256 of the signed part of the token.
  token_hash bytea primary key check (length(token_hash) = 32),
  expires_at timestamptz not null,
  created_at timestamptz not null default now()
);

create index spent_legacy_tokens_expires_at on spent_legacy_tokens (expires_at);

-- As before, with the spent tokens of former systems in expired_tokens.

create or replace function upkeep_batch(job text, keep_days integer) returns bigint language plpgsql as $$
begin
  -- A wait for a table's lock holds up all behind it: better to fail, and try again at the next
  -- slot.
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
