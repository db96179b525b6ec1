-- Code since schema 6.
--
-- An origin whose user does not own the schema: DDL of upkeep runs with the rights of the owner, in
-- these functions alone.

do $$
declare
  signature text;
begin
  foreach signature in array array['make_partition(text, timestamptz)', 'remove_old_rows(text, integer)', 'refresh_views()'] loop
    -- A caller cannot put tables or operators of its own before those of the schema.
    execute format('alter function %s security definer set search_path = %I, pg_temp', signature, current_schema());
    execute format('revoke execute on function %s from public', signature);
  end loop;
end
$$;
