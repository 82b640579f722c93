-- How many interventions there are of each state and priority, so that the dashboard does not read them all: the sum of `n`.
-- Each change adds rows, and updates none, so that no change waits for another. `maintenance.purge` adds them up at night.
create table interventions_totaux (
    id bigint generated always as identity primary key,
    statut text not null,
    priorite text not null,
    n bigint not null -- 1: one more; -1: one less; after a night: all until then
);

-- Names are qualified, since a restore has no search_path.
create function interventions_totaux_tenir() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' then
        insert into public.interventions_totaux (statut, priorite, n) values (new.statut, new.priorite, 1);
    elsif tg_op = 'UPDATE' then
        insert into public.interventions_totaux (statut, priorite, n)
        values (old.statut, old.priorite, -1), (new.statut, new.priorite, 1);
    elsif tg_op = 'DELETE' then
        insert into public.interventions_totaux (statut, priorite, n) values (old.statut, old.priorite, -1);
    else
        truncate public.interventions_totaux;
    end if;
    return null;
end
$$;
create trigger totaux_ligne after insert or delete on interventions for each row execute function interventions_totaux_tenir();
create trigger totaux_etape after update on interventions for each row
    when ((old.statut, old.priorite) is distinct from (new.statut, new.priorite)) execute function interventions_totaux_tenir();
create trigger totaux_vide after truncate on interventions for each statement execute function interventions_totaux_tenir();
