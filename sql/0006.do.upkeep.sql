-- Upkeep: what grows with traffic is partitioned by month, what is bounded is deleted in batches, and every run leaves a row.

-- Makes one month's partition, UTC, and moves what the default one holds of that month. It is filled before it is attached: attaching locks out
-- neither readers nor writers of the other partitions, while `create table ... partition of` would lock them all.
create function make_partition(parent text, month timestamptz) returns bigint language plpgsql set timezone to 'UTC' as $$
declare
  starts_at constant timestamptz := date_trunc('month', month);
  ends_at constant timestamptz := starts_at + interval '1 month';
  partition_name constant text := parent || to_char(starts_at, '"_y"YYYY"m"MM');
  default_name constant text := parent || '_default';
  moved bigint;
begin
  if to_regclass(partition_name) is not null then
    return 0;
  end if;
  -- A row that came into the default one between the move and the attachment would make the attachment fail.
  execute format('lock table %I in access exclusive mode', default_name);
  execute format(
    'create table %I (like %I including defaults including constraints including storage)', partition_name, parent
  );
  execute format(
    'with moved as (delete from %I where created_at >= %L and created_at < %L returning *) insert into %I select * from moved',
    default_name, starts_at, ends_at, partition_name
  );
  get diagnostics moved = row_count;
  execute format(
    'alter table %I attach partition %I for values from (%L) to (%L)', parent, partition_name, starts_at, ends_at
  );
  return moved;
end
$$;

-- This month's and those of the coming three.
create function make_partitions(parent text) returns bigint language sql as $$
  select coalesce(sum(make_partition(parent, now() + make_interval(months => ahead))), 0)::bigint
  from generate_series(0, 3) ahead
$$;

-- The two tables are made anew and take over every row. A unique key of a partitioned table must hold the partition key, so nothing but the
-- sequence keeps an id from coming twice: nobody sets one by hand, as it is always generated.
-- Constraints are named, as the ones being replaced still have the names that they would be given.

alter table login_attempts rename to login_attempts_before;

create table login_attempts (
  id bigint generated always as identity,
  email text not null constraint login_attempts_email_check check (length(email) <= 254),
  user_id uuid constraint login_attempts_user_id_fkey references user_accounts on delete set null,
  ip inet,
  user_agent text constraint login_attempts_user_agent_check check (length(user_agent) <= 512),
  succeeded boolean not null,
  reason text constraint login_attempts_reason_check check (
    reason in ('unknown_account', 'wrong_password', 'account_disabled', 'account_locked', 'email_unverified')
  ),
  created_at timestamptz not null default now(),
  constraint login_attempts_check check (succeeded = (reason is null))
) partition by range (created_at);

alter table audit_logs rename to audit_logs_before;

create table audit_logs (
  id bigint generated always as identity,
  action text not null constraint audit_logs_action_check check (action ~ '^[a-z_]+\.[a-z_]+$'),
  actor_id uuid,
  user_id uuid,
  session_id uuid,
  ip inet,
  user_agent text constraint audit_logs_user_agent_check check (length(user_agent) <= 512),
  request_id text constraint audit_logs_request_id_check check (length(request_id) <= 128),
  details jsonb not null default '{}',
  created_at timestamptz not null default now()
) partition by range (created_at);

-- No insert fails for want of a partition, whatever the clock says.
create table login_attempts_default partition of login_attempts default;
create table audit_logs_default partition of audit_logs default;

select make_partitions('login_attempts'), make_partitions('audit_logs');
select make_partition('login_attempts', month)
from (select distinct date_trunc('month', created_at, 'UTC') as month from login_attempts_before where isfinite(created_at)) held;
select make_partition('audit_logs', month)
from (select distinct date_trunc('month', created_at, 'UTC') as month from audit_logs_before where isfinite(created_at)) held;

insert into login_attempts (id, email, user_id, ip, user_agent, succeeded, reason, created_at)
overriding system value
select id, email, user_id, ip, user_agent, succeeded, reason, created_at from login_attempts_before;

insert into audit_logs (id, action, actor_id, user_id, session_id, ip, user_agent, request_id, details, created_at)
overriding system value
select id, action, actor_id, user_id, session_id, ip, user_agent, request_id, details, created_at from audit_logs_before;

-- Ids go on where they were, and are not given again where the last rows were deleted.
select setval(pg_get_serial_sequence('login_attempts', 'id'), nextval(pg_get_serial_sequence('login_attempts_before', 'id')), false);
select setval(pg_get_serial_sequence('audit_logs', 'id'), nextval(pg_get_serial_sequence('audit_logs_before', 'id')), false);

drop table login_attempts_before;
drop table audit_logs_before;
alter sequence login_attempts_id_seq1 rename to login_attempts_id_seq;
alter sequence audit_logs_id_seq1 rename to audit_logs_id_seq;

alter table login_attempts add primary key (id, created_at);
alter table audit_logs add primary key (id, created_at);

-- Each serves a list by time that goes on from the last row's (created_at, id).
create index login_attempts_created_at on login_attempts (created_at, id);
create index login_attempts_email on login_attempts (lower(email), created_at, id);
create index login_attempts_ip on login_attempts (ip, created_at, id);
create index login_attempts_user_id on login_attempts (user_id, created_at, id);

create index audit_logs_created_at on audit_logs (created_at, id);
create index audit_logs_user_id on audit_logs (user_id, created_at, id);
create index audit_logs_actor_id on audit_logs (actor_id, created_at, id);
create index audit_logs_action on audit_logs (action, created_at, id);

-- What finds the rows to delete.
create index sessions_ended_at on sessions (ended_at) where ended_at is not null;

-- One row for each run of a job. `slot` is the moment it was due: whoever inserts the row first runs it. A run without an outcome is
-- under way, or its process or connection died.

create table upkeep_runs (
  id bigint generated always as identity primary key,
  job text not null check (job ~ '^[a-z][a-z_]{1,39}$'),
  slot timestamptz not null,
  started_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  rows bigint not null default 0 check (rows >= 0),
  outcome text check (outcome in ('succeeded', 'failed')),
  error text,
  unique (job, slot),
  check ((finished_at is null) = (outcome is null)),
  check ((error is not null) = (outcome is not distinct from 'failed'))
);

create index upkeep_runs_job on upkeep_runs (job, id);
create index upkeep_runs_started_at on upkeep_runs (started_at);

-- The lock that keeps two runs of one job apart, whatever their slots.
create function upkeep_lock(job text) returns bigint language sql immutable as $$
  select hashtextextended('upkeep ' || job, 0)
$$;

-- Deletes up to 5,000 rows: a transaction that short holds up neither vacuum nor those who want the same rows. Rows that somebody
-- else holds right now wait for the next batch. `condition` is SQL, of the function below alone.
create function delete_batch(relation text, condition text) returns bigint language plpgsql as $$
declare
  removed bigint;
begin
  execute format(
    'delete from %1$I where ctid = any (array(select ctid from %1$I where %2$s limit 5000 for update skip locked))',
    relation, condition
  );
  get diagnostics removed = row_count;
  return removed;
end
$$;

-- Drops the months that are wholly too old, then deletes a batch of what is too old in the default partition.
create function remove_old_rows(parent text, keep_days integer) returns bigint language plpgsql as $$
declare
  oldest constant timestamptz := now() - make_interval(days => keep_days);
  months text[];
  month text;
  held bigint;
  removed bigint := 0;
begin
  select array_agg(child.relname) into months
  from pg_inherits
  join pg_class child on child.oid = pg_inherits.inhrelid
  where pg_inherits.inhparent = parent::regclass
    and substring(pg_get_expr(child.relpartbound, child.oid) from 'TO \(''([^'']+)''\)')::timestamptz <= oldest;
  -- Nothing is added to such a month any more. Counted before the first drop, which locks the whole table until the commit.
  foreach month in array coalesce(months, '{}') loop
    execute format('select count(*) from %I', month) into held;
    removed := removed + held;
  end loop;
  foreach month in array coalesce(months, '{}') loop
    execute format('drop table %I', month);
  end loop;
  return removed + delete_batch(parent || '_default', format('created_at < %L', oldest));
end
$$;

-- Beside readers, who see the views as they were until all three are new. Each reads its own snapshot, none from before `as_of`.
create function refresh_views() returns void language plpgsql as $$
begin
  update view_refreshes set as_of = now();
  refresh materialized view concurrently mv_users_with_subscription;
  refresh materialized view concurrently mv_user_permissions;
  refresh materialized view concurrently mv_user_features;
end
$$;

-- One transaction's worth of a job. It has more to do as long as it returns more than 0.
create function upkeep_batch(job text, keep_days integer) returns bigint language plpgsql as $$
begin
  -- Whoever waits for a table's lock holds up all behind them: better to fail, and try again at the next slot.
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
        + delete_batch('revocations', $q$created_at < now() - interval '1 day'$q$);
    when 'mail_outbox' then
      return delete_batch(job, format(
        $q$next_attempt_at = 'infinity' and created_at < now() - make_interval(days => %L)$q$, keep_days
      ));
    when 'upkeep_runs' then
      return delete_batch(job, format('started_at < now() - make_interval(days => %L)', keep_days));
  end case;
end
$$;

-- Runs a job for a slot, unless somebody has run it or runs it now. Call it outside a transaction, as it commits between batches.
-- `run` comes back as the run's id, null where there was nothing to do; given, it is one that was claimed by hand.
-- A failure is recorded here and not raised, so that it is seen whoever called.
create procedure run_upkeep(job text, slot timestamptz, keep_days integer, inout run bigint default null) language plpgsql as $$
declare
  lock_key constant bigint := upkeep_lock(job);
  removed bigint;
  failure text;
begin
  if not pg_try_advisory_lock(lock_key) then
    update upkeep_runs
    set finished_at = clock_timestamp(), outcome = 'failed', error = '55P03 another run of this job is under way'
    where id = run and finished_at is null;
    run := null;
    return;
  end if;
  if run is null then
    begin
      insert into upkeep_runs (job, slot) values (run_upkeep.job, run_upkeep.slot) on conflict do nothing returning id into run;
    exception when query_canceled or others then
      -- The lock is the session's: a failed statement does not give it back.
      perform pg_advisory_unlock(lock_key);
      raise;
    end;
  end if;
  if run is null then
    perform pg_advisory_unlock(lock_key);
    return;
  end if;
  commit;
  loop
    -- What fails takes back its own batch alone. `others` leaves out the statement timeout, which is a failure like any other.
    begin
      removed := upkeep_batch(job, keep_days);
      update upkeep_runs set rows = rows + removed where id = run;
    exception when query_canceled or others then
      failure := sqlstate || ' ' || sqlerrm;
    end;
    exit when failure is not null or removed = 0;
    commit;
  end loop;
  update upkeep_runs
  set finished_at = clock_timestamp(), outcome = case when failure is null then 'succeeded' else 'failed' end, error = failure
  where id = run;
  commit;
  perform pg_advisory_unlock(lock_key);
end
$$;
