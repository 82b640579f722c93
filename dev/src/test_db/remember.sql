-- Run once, in the template, after the migrations: what they left there is what a test begins with.
create schema testing;

create table testing.shape (md5 text not null);
create table testing.seeded (table_name text primary key, copy_name text not null, columns text not null);
create table testing.counters (sequence_name text primary key, last_value bigint not null, is_called boolean not null);

do $$
declare
    source record;
    filled boolean;
    copy text;
    n integer := 0;
begin
    for source in
        select c.oid, c.oid::regclass::text as name,
            (select string_agg(quote_ident(attname), ', ' order by attnum)
             from pg_attribute
             where attrelid = c.oid and attnum > 0 and not attisdropped and attgenerated = '') as columns
        from pg_class c join pg_namespace s on s.oid = c.relnamespace
        where c.relkind = 'r' and s.nspname not like 'pg\_%'
            and s.nspname not in ('information_schema', 'testing') and c.relname not in ('_sqlx_migrations', '_migrations')
    loop
        execute format('select exists (select from only %s)', source.name) into filled;
        if filled then
            n := n + 1;
            copy := 'testing.copy_' || n;
            execute format('create table %s as select %s from only %s', copy, source.columns, source.name);
            insert into testing.seeded values (source.name, copy, source.columns);
        end if;
    end loop;
    for source in select oid::regclass::text as name from pg_class where relkind = 'S' loop
        execute format('insert into testing.counters select %L, last_value, is_called from %s', source.name, source.name);
    end loop;
end
$$;
