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

-- A column and not only an index on the expression: a common word is checked row by row, and the function costs ten times what
-- the comparison costs. The next migration fills it: a generated column would write the whole table anew under a lock.
alter table interventions add column recherche text;

alter table equipements add column recherche text generated always as (
    recherche(nom || ' ' || localisation || ' ' || coalesce(numero_serie, '') || ' ' || coalesce(marque, '') || ' '
              || coalesce(modele, ''))) stored;
create index equipements_recherche_idx on equipements using gin (recherche gin_trgm_ops);
create index equipements_nom_francais_idx on equipements (nom collate "fr-x-icu", id);

-- Names that were told apart by case or accents until now keep their rows: all but the oldest of them have a key of their own.
alter table equipements add column nom_cle text;
alter table competences add column nom_cle text;
update equipements e
set nom_cle = recherche(nom) || case when exists (select from equipements o where recherche(o.nom) = recherche(e.nom) and o.id < e.id)
                                     then ' #' || id else '' end;
update competences c
set nom_cle = recherche(nom) || case when exists (select from competences o where recherche(o.nom) = recherche(c.nom) and o.id < c.id)
                                     then ' #' || id else '' end;
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
