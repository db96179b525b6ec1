-- Code since schema 6.
--
-- A run whose result could not be recorded kept its advisory lock for as long as its session lived:
-- behind a pooler, beyond the end of its client. No other run of the job could start meanwhile.

create or replace procedure run_upkeep(job text, slot timestamptz, keep_days integer, inout run bigint default null) language plpgsql as $$
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
      -- The lock is the session's: a failed statement does not release it.
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
    -- A failure rolls back its own batch alone. `others` does not include the statement timeout.
    begin
      removed := upkeep_batch(job, keep_days);
      update upkeep_runs set rows = rows + removed where id = run;
    exception when query_canceled or others then
      failure := sqlstate || ' ' || sqlerrm;
    end;
    exit when failure is not null or removed = 0;
    commit;
  end loop;
  begin
    update upkeep_runs
    set finished_at = clock_timestamp(), outcome = case when failure is null then 'succeeded' else 'failed' end, error = failure
    where id = run;
  exception when query_canceled or others then
    perform pg_advisory_unlock(lock_key);
    raise;
  end;
  commit;
  perform pg_advisory_unlock(lock_key);
end
$$;
