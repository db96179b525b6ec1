-- Code since schema 28.
--
-- An origin whose user does not own the schema adds login attempts and reads them, as it does audit
-- rows: they show who tried which address.

create trigger keep_login_attempt before update or delete on login_attempts
for each row execute function keep_audit_row();

create or replace function keep_audit_row() returns trigger language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
  if not pg_has_role(current_user, (select relowner from pg_class where oid = tg_relid), 'USAGE') then
    raise insufficient_privilege using message = format('rows of %s are neither changed nor deleted', tg_table_name);
  end if;
  if tg_op = 'DELETE' then
    return old;
  end if;
  return new;
end
$$;
