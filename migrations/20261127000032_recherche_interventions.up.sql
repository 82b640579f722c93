-- no-transaction
-- A column and not only an index on the expression: a common word is checked row by row, and the function costs ten times what
-- the comparison costs. No generated column, which would write the whole table anew under a lock.
-- What is written from now on fills the column by a trigger; what is there is filled ten thousand ids at a time, each with a
-- commit, so that nobody waits for more than that. One statement, which may be run again: outside a transaction sqlx takes no more.
do $do$
declare
    depuis bigint := 0;
    dernier bigint;
begin
    -- Until the first commit: these two take the table from everybody, for a moment, and do not queue for it.
    perform set_config('lock_timeout', '3s', true);
    alter table interventions add column if not exists recherche text;
    create or replace function interventions_recherche() returns trigger language plpgsql as $$
    begin
        new.recherche := public.recherche(new.titre || ' ' || coalesce(new.description, ''));
        return new;
    end
    $$;
    if not exists (select from pg_trigger where tgrelid = 'interventions'::regclass and tgname = 'recherche') then
        create trigger recherche before insert or update of titre, description on interventions
            for each row execute function interventions_recherche();
    end if;
    commit;
    select coalesce(max(id), 0) into dernier from interventions;
    while depuis < dernier loop
        update interventions set recherche = public.recherche(titre || ' ' || coalesce(description, ''))
        where id > depuis and id <= depuis + 10000 and recherche is null;
        commit;
        depuis := depuis + 10000;
    end loop;
end
$do$
