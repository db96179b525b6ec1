-- Code since schema 27.
--
-- Usage of limits by user and day, as gateways report it. Code of schema 27 reads and writes none.

create table usage_days (
  user_id uuid not null references user_accounts on delete cascade,
  -- In UTC, by the gateway's clock.
  day date not null,
  limit_name text not null check (limit_name ~ '^[a-z][a-z_]{0,39}$'),
  -- Below 0 where a refund is reported before the request that it belongs to.
  used bigint not null,
  primary key (user_id, day, limit_name)
);

-- Serves the list by day, and finds the rows to delete.
create index usage_days_day on usage_days (day, user_id, limit_name);
create index usage_days_limit on usage_days (limit_name, day, user_id);

-- Reports that were counted: a gateway that got no response sends its report again.
create table usage_reports (
  id uuid primary key,
  received_at timestamptz not null default now()
);

create index usage_reports_received_at on usage_reports (received_at);

-- As before, with the job usage_days.
create or replace function upkeep_batch(job text, keep_days integer) returns bigint language plpgsql as $$
begin
  -- A wait for a table's lock holds up all queries behind it: the next slot tries again.
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
    when 'usage_days' then
      return delete_batch(job, format($q$day < (now() at time zone 'UTC')::date - %s$q$, keep_days))
        + delete_batch('usage_reports', $q$received_at < now() - interval '7 days'$q$);
    when 'expired_tokens' then
      return delete_batch('tokens', $q$expires_at < now() - interval '1 day'$q$)
        + delete_batch('sessions', $q$expires_at < now() - interval '30 days'$q$)
        + delete_batch('sessions', $q$ended_at < now() - interval '30 days'$q$)
        + delete_batch('api_keys', $q$expires_at < now() - interval '30 days'$q$)
        + delete_batch('api_keys', $q$revoked_at < now() - interval '30 days'$q$)
        + delete_batch('login_counters', $q$window_ends_at < now() - interval '1 day'$q$)
        + delete_batch('login_challenges', $q$expires_at < now() - interval '1 day'$q$)
        + delete_batch('totp_enrolments', $q$expires_at < now() - interval '1 day'$q$)
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
