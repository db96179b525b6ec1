-- Code since schema 28.
--
-- An origin whose user does not own the schema adds audit rows and reads them. Neither that user
-- nor a thief of its password changes or removes one, except by age.

-- A right of the table cannot say this: origins of earlier versions do not start without UPDATE and
-- DELETE on every table. The functions of upkeep run as the owner.
create function keep_audit_row() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if not pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'USAGE') then
    raise insufficient_privilege using message = 'audit rows are neither changed nor deleted';
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end
$$;

-- Partitions have it too, also those that are attached later.
create trigger keep_audit_row before update or delete on audit_logs
for each row execute function keep_audit_row();

-- Runs with the rights of the owner, so a caller names neither another table nor an age below the
-- least one.
create or replace function remove_old_rows(parent text, keep_days integer) returns bigint language plpgsql as $$
declare
  least_days constant integer := case parent when 'audit_logs' then 30 when 'login_attempts' then 1 end;
  oldest constant timestamptz := now() - make_interval(days => keep_days);
  months text[];
  month text;
  held bigint;
  removed bigint := 0;
begin
  if least_days is null then
    raise invalid_parameter_value using message = format('%s has no months that upkeep removes', parent);
  end if;
  if keep_days is null or keep_days < least_days then
    raise invalid_parameter_value using message = format('%s are kept for at least %s days', parent, least_days);
  end if;
  select array_agg(child.relname) into months
  from pg_inherits
  join pg_class child on child.oid = pg_inherits.inhrelid
  where pg_inherits.inhparent = parent::regclass
    and substring(pg_get_expr(child.relpartbound, child.oid) from 'TO \(''([^'']+)''\)')::timestamptz <= oldest;
  -- No row is added to such a month any more. The count comes before the first drop, which locks
  -- the whole table until the commit.
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

do $$
begin
  execute format(
    'alter function remove_old_rows(text, integer) security definer set search_path = %I, pg_temp',
    current_schema()
  );
end
$$;
