-- Brings a used database back to what its template holds. Deleting is far quicker here than
-- truncating or copying the template: no file is created.
do $$
declare
    item record;
begin
    -- Whoever is still connected belongs to a test that is over.
    loop
        perform pg_terminate_backend(pid) from pg_stat_activity
        where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend';
        exit when not found;
        perform pg_sleep(0.002);
        perform pg_stat_clear_snapshot();
    end loop;

    -- Neither triggers nor foreign keys: every row goes, in any order.
    set local session_replication_role = replica;
    for item in
        select c.oid::regclass as name
        from pg_class c join pg_namespace s on s.oid = c.relnamespace
        where c.relkind = 'r' and s.nspname not like 'pg\_%'
            and s.nspname not in ('information_schema', 'testing') and c.relname not in ('_sqlx_migrations', '_migrations')
    loop
        execute format('delete from only %s', item.name);
    end loop;
    for item in select * from testing.seeded loop
        execute format('insert into %s (%s) overriding system value select %s from %s',
            item.table_name, item.columns, item.columns, item.copy_name);
    end loop;
    perform setval(sequence_name::regclass, last_value, is_called) from testing.counters;
end
$$
