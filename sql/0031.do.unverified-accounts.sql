-- Code since schema 28.
--
-- Accounts whose address nobody verified are removed after a time. Code of schema 28 never starts
-- the job.

create index if not exists user_accounts_unverified on user_accounts (created_at) where email_verified_at is null;

-- An account that nobody proved to own, and that nobody needs: its address was never verified, no
-- link that could verify it works, nobody uses it, no administrator gave it a role or disabled it,
-- no other system knows it, and nobody books or pays for it.
create function is_unverified_leftover(account user_accounts, keep_days integer) returns boolean language sql stable as $$
  select account.email_verified_at is null
    and account.created_at < now() - make_interval(days => keep_days)
    and account.status = 'active'
    and account.external_id is null
    and account.role_id = (select id from roles where is_default)
    and not exists (select from account_imports where user_id = account.id)
    and not exists (
      select from tokens
      where user_id = account.id and kind in ('email_verification', 'password_reset')
        and spent_at is null and expires_at > now()
    )
    and not exists (
      select from sessions
      where user_id = account.id and ended_at is null and expires_at > now()
        and last_used_at > now() - make_interval(days => keep_days)
    )
    and not exists (
      select from api_keys where user_id = account.id and revoked_at is null and expires_at > now()
    )
    and not exists (select from billing_events where user_id = account.id)
    and not exists (select from subscription_bookings where user_id = account.id)
    and not exists (
      select from user_subscriptions subscription
      join subscription_plans plan on plan.id = subscription.plan_id
      where subscription.user_id = account.id and plan.rank > 0
    )
$$;

-- Removes up to 500 such accounts, each with an audit row. The first statement locks them, which
-- waits for nobody; the second one sees what was committed until then, such as a new link: both a
-- verification and the issue of a link lock the account.
create function remove_unverified_accounts(keep_days integer) returns bigint language plpgsql as $$
declare
  locked uuid[];
  removed bigint;
begin
  select array_agg(id) into locked
  from (
    select account.id from user_accounts account
    where account.email_verified_at is null
      and account.created_at < now() - make_interval(days => keep_days)
      and is_unverified_leftover(account, keep_days)
    order by account.created_at
    limit 500
    for update skip locked
  ) found;
  with gone as (
    delete from user_accounts account
    where account.id = any (locked) and is_unverified_leftover(account, keep_days)
    returning account.id, account.created_at
  ),
  audited as (
    insert into audit_logs (action, user_id, details)
    select 'account.unverified_removed', id, jsonb_build_object('registered_at', created_at)
    from gone
    returning 1
  )
  select count(*) into removed from audited;
  return removed;
end
$$;

create or replace function upkeep_batch(job text, keep_days integer) returns bigint language plpgsql as $$
begin
  -- A statement that waits for a table's lock holds up all behind it: the job fails instead, and
  -- tries again at the next slot.
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
      update oauth_clients
      set previous_secret_hash = null, previous_secret_ends_at = null, previous_secret_used_at = null
      where previous_secret_ends_at < now();
      return delete_batch('tokens', $q$expires_at < now() - interval '1 day'$q$)
        + delete_batch('sessions', $q$expires_at < now() - interval '30 days'$q$)
        + delete_batch('sessions', $q$ended_at < now() - interval '30 days'$q$)
        + delete_batch('api_keys', $q$expires_at < now() - interval '30 days'$q$)
        + delete_batch('api_keys', $q$revoked_at < now() - interval '30 days'$q$)
        + delete_batch('login_counters', $q$window_ends_at < now() - interval '1 day'$q$)
        + delete_batch('login_challenges', $q$expires_at < now() - interval '1 day'$q$)
        + delete_batch('totp_enrolments', $q$expires_at < now() - interval '1 day'$q$)
        + delete_batch('limit_counters', $q$expire < extract(epoch from now() - interval '1 day') * 1000$q$)
        + delete_batch('revocations', $q$created_at < now() - interval '1 day'$q$)
        + delete_batch('spent_legacy_tokens', $q$expires_at < now() - interval '1 day'$q$);
    when 'mail_outbox' then
      return delete_batch(job, format(
        $q$next_attempt_at = 'infinity' and created_at < now() - make_interval(days => %L)$q$, keep_days
      ));
    when 'unverified_accounts' then
      return case when keep_days is null then 0 else remove_unverified_accounts(keep_days) end;
    when 'upkeep_runs' then
      return delete_batch(job, format('started_at < now() - make_interval(days => %L)', keep_days));
  end case;
end
$$;
