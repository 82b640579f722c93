-- The version of each row that people edit, raised by whatever changes it: an edit that was made from an older one is noticed.
-- A trigger and no part of each statement, which could forget it. The columns come without a rewrite.

-- Its arguments are columns whose change is no edit: the version itself, what is derived from others, what programs note down.
create function version_suivante() returns trigger language plpgsql as $$
begin
    if to_jsonb(new) - tg_argv is distinct from to_jsonb(old) - tg_argv then
        new.version := old.version + 1;
    end if;
    return new;
end
$$;

alter table clients add column version bigint not null default 1;
alter table users add column version bigint not null default 1;
alter table preferences add column version bigint not null default 1;
alter table techniciens add column version bigint not null default 1;
alter table equipements add column version bigint not null default 1;
alter table plannings add column version bigint not null default 1;
alter table interventions add column version bigint not null default 1;
alter table documents add column version bigint not null default 1;
alter table schedules add column version bigint not null default 1;

create trigger version before update on clients for each row
    execute function version_suivante('version');
create trigger version before update on users for each row
    execute function version_suivante('version', 'updated_at', 'last_login', 'password_hash', 'token_version');
create trigger version before update on preferences for each row
    execute function version_suivante('version', 'updated_at');
create trigger version before update on techniciens for each row
    execute function version_suivante('version');
create trigger version before update on equipements for each row
    execute function version_suivante('version', 'recherche', 'nom_cle');
create trigger version before update on plannings for each row
    execute function version_suivante('version', 'rappel_signale');
create trigger version before update on interventions for each row
    execute function version_suivante('version', 'recherche', 'sla_niveau', 'retard_signale', 'retard_signale_le', 'rappel_signale');
create trigger version before update on documents for each row
    execute function version_suivante('version', 'status', 'width', 'height', 'pages', 'has_previews', 'error');
create trigger version before update on schedules for each row
    execute function version_suivante('version', 'updated_at', 'last_run_at', 'next_run_at');

-- The skills of a technicien are edited with it.
create function competences_versionnees() returns trigger language plpgsql as $$
begin
    update public.techniciens set version = version + 1 where id = coalesce(new.technicien_id, old.technicien_id);
    return null;
end
$$;
create trigger version after insert or update or delete on technicien_competences for each row
    execute function competences_versionnees();
