-- Gives the role of the programs (`erp.app`) what they need of the tables of this role, and nothing else: rows, never the schema.
-- Run by the owner after the migrations, again and again; one statement, so that nobody ever sees half of it.
do $$
declare
    app constant text := current_setting('erp.app');
    objet record;
begin
    for objet in
        select c.oid::regclass::text as nom,
            case
                when c.relkind = 'S' then array['usage, select']
                -- Programs of the release before tick and edit through this view.
                when c.relkind = 'v' and c.oid = to_regclass('public.schedules') then array['select, insert, update, delete']
                when c.relkind in ('v', 'm') or c.relname in ('_sqlx_migrations', '_migrations', 'audit_jours', 'audit_garde') then array['select']
                -- Its place in the chain and its hash are given by a trigger, and by nobody else.
                when c.relname = 'audit' then array['select', 'insert (jour, horodatage, action, user_id, session_id, adresse,
                    request_id, cible, cible_id, avant, apres)']
                else array['select, insert, update, delete']
            end as droits
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('public', 'apalis', 'queue') and c.relkind in ('r', 'p', 'v', 'm', 'S') and pg_has_role(c.relowner, 'usage')
          and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
    loop
        execute format('revoke all on %s from %I', objet.nom, app);
        for i in 1 .. array_length(objet.droits, 1) loop
            execute format('grant %s on %s to %I', objet.droits[i], objet.nom, app);
        end loop;
    end loop;
    execute format('grant usage on schema apalis, queue to %I', app);
    execute format('grant execute on function audit_elaguer(date, timestamptz, bigint), queue.keep_days(integer) to %I', app);
    -- A table that comes otherwise than by `erp-api migrate` can be used at once.
    execute format('alter default privileges in schema public, apalis, queue grant select, insert, update, delete on tables to %I', app);
    execute format('alter default privileges in schema public, apalis, queue grant usage, select on sequences to %I', app);
end
$$
