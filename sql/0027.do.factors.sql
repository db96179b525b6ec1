-- Code since schema 26.
--
-- Second factors. Code of schema 26 signs in by the password alone: after a rollback to it nobody
-- is asked for a factor.

-- The last time step (RFC 6238) of which a code was accepted: no code works twice.
alter table totp_secrets add column last_step bigint not null default 0;

-- Secrets that no code has confirmed yet, encrypted as those of totp_secrets.

create table totp_enrolments (
  user_id uuid primary key references user_accounts on delete cascade,
  encrypted_secret bytea not null,
  expires_at timestamptz not null,
  created_at timestamptz not null default now()
);

create index totp_enrolments_expires_at on totp_enrolments (expires_at);

-- Single-use codes, stored as HMAC-SHA-256 under a key that is not in the database.

create table recovery_codes (
  user_id uuid not null references user_accounts on delete cascade,
  code_hash bytea not null check (octet_length(code_hash) = 32),
  used_at timestamptz,
  created_at timestamptz not null default now(),
  primary key (user_id, code_hash)
);

-- Logins whose password was right and whose factor is due. `device_id` is that of the device cookie
-- that came with the password; `tries` counts the codes, those in progress included.

create table login_challenges (
  token_hash bytea primary key check (octet_length(token_hash) = 32),
  user_id uuid not null references user_accounts on delete cascade,
  password_version text not null,
  device_id uuid,
  tries smallint not null default 0 check (tries >= 0),
  expires_at timestamptz not null,
  spent_at timestamptz,
  created_at timestamptz not null default now()
);

create index login_challenges_user_id on login_challenges (user_id);
create index login_challenges_expires_at on login_challenges (expires_at);

-- Every row in the table fits the wider list: it is not checked again.
alter table login_attempts drop constraint login_attempts_reason_check;
alter table login_attempts add constraint login_attempts_reason_check check (
  reason in (
    'unknown_account', 'wrong_password', 'account_disabled', 'account_locked', 'email_unverified',
    'mfa_required', 'wrong_code'
  )
) not valid;

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
