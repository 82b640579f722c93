-- Searches ignore case and accents, and find their words in any order; names that a person would call the same are one name.
create extension if not exists unaccent;

-- A text as it is searched: without case and accents, a space before it so that every word has one. `unaccent` is only called
-- stable, because its dictionary can be changed; this one is not. The names are qualified, since a restore has no search_path.
create function recherche(texte text) returns text
    language sql immutable strict parallel safe
    as $$ select ' ' || lower(public.unaccent('public.unaccent'::regdictionary, texte) collate "C") $$;

-- The LIKE pattern of texts with this word, taken literally. A word of one or two letters has no trigram of its own: it is
-- looked for where words begin, which the index can do.
create function motif(mot text) returns text
    language sql immutable strict parallel safe
    as $$
        select case when length(mot) < 3 then '% ' else '%' end
               || replace(replace(replace(ltrim(public.recherche(mot)), '\', '\\'), '%', '\%'), '_', '\_') || '%'
    $$;

alter table equipements add column recherche text generated always as (
    recherche(nom || ' ' || localisation || ' ' || coalesce(numero_serie, '') || ' ' || coalesce(marque, '') || ' '
              || coalesce(modele, ''))) stored;
create index equipements_recherche_idx on equipements using gin (recherche gin_trgm_ops);
create index equipements_nom_francais_idx on equipements (nom collate "fr-x-icu", id);

-- Names that were told apart by case or accents until now keep their rows: all but the oldest of them have a key of their own.
alter table equipements add column nom_cle text;
alter table competences add column nom_cle text;
update equipements e
set nom_cle = case when d.rang = 1 then d.cle else '#' || e.id end -- a key begins with a space: these meet no other
from (select id, recherche(nom) as cle, row_number() over (partition by recherche(nom) order by id) as rang from equipements) d
where d.id = e.id;
update competences c
set nom_cle = case when d.rang = 1 then d.cle else '#' || c.id end
from (select id, recherche(nom) as cle, row_number() over (partition by recherche(nom) order by id) as rang from competences) d
where d.id = c.id;
alter table equipements alter column nom_cle set not null, add constraint equipements_nom_cle_key unique (nom_cle);
alter table competences alter column nom_cle set not null, add constraint competences_nom_cle_key unique (nom_cle);
create function nom_cle() returns trigger language plpgsql as $$
begin
    if tg_op = 'INSERT' or new.nom is distinct from old.nom then
        new.nom_cle := public.recherche(new.nom);
    end if;
    return new;
end
$$;
create trigger nom_cle before insert or update of nom on equipements for each row execute function nom_cle();
create trigger nom_cle before insert or update of nom on competences for each row execute function nom_cle();
