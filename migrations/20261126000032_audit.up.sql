-- Who did what, on which row, when. Rows are added, and nothing else: see the triggers below.
create table audit (
    id bigint generated always as identity primary key,
    jour date not null, -- of `horodatage`, in UTC
    horodatage timestamptz not null,
    action text not null,
    user_id bigint, -- who did it; no foreign key: what is written here outlives its subject
    session_id uuid,
    adresse text,
    request_id uuid,
    cible text, -- what it was done to: a noun, and its id
    cible_id text,
    avant jsonb, -- of the fields that changed; never a secret
    apres jsonb,
    -- Its place in the chain of its day, given when its transaction commits.
    numero bigint,
    empreinte_avant bytea,
    empreinte bytea
);
create unique index audit_jour_numero_key on audit (jour, numero);
create index audit_user_id_idx on audit (user_id, id) where user_id is not null;
create index audit_action_idx on audit (action, id);
create index audit_cible_idx on audit (cible, cible_id, id) where cible is not null;
create index audit_horodatage_idx on audit (horodatage);

-- The end of each chain. It stays when the rows of the day have had their time.
create table audit_jours (
    jour date primary key,
    depart bytea not null, -- a hash of the day before: no day disappears unseen
    lignes bigint not null default 0,
    empreinte bytea not null, -- of the last row
    elague_le timestamptz
);

-- What the hash of a row is made of, after the hash before it. `erp-api audit verify` has the same expression of its own.
create function audit_texte(r audit) returns text language sql stable as $$
    select jsonb_build_array(r.id, r.jour, r.numero, extract(epoch from r.horodatage)::text, r.action, r.user_id, r.session_id,
                             r.adresse, r.request_id, r.cible, r.cible_id, r.avant, r.apres)::text
$$;

create function audit_sceller() returns trigger language plpgsql as $$
declare
    veille bytea;
    fin audit_jours;
    ligne audit;
begin
    select empreinte into veille from audit_jours where jour < new.jour order by jour desc limit 1;
    insert into audit_jours (jour, depart, empreinte)
    values (new.jour, coalesce(veille, ''), coalesce(veille, ''))
    on conflict (jour) do nothing;
    -- Held until the commit that has begun: rows have one order, and nothing else is locked after this.
    select * into strict fin from audit_jours where jour = new.jour for update;
    select * into strict ligne from audit where id = new.id;
    ligne.numero := fin.lignes + 1;
    ligne.empreinte_avant := fin.empreinte;
    ligne.empreinte := sha256(fin.empreinte || convert_to(audit_texte(ligne), 'UTF8'));
    update audit set numero = ligne.numero, empreinte_avant = ligne.empreinte_avant, empreinte = ligne.empreinte where id = new.id;
    update audit_jours set lignes = ligne.numero, empreinte = ligne.empreinte where jour = new.jour;
    return null;
end
$$;
create constraint trigger audit_sceller after insert on audit deferrable initially deferred
    for each row execute function audit_sceller();

create function audit_inalterable() returns trigger language plpgsql as $$
begin
    -- The seal of a row that has none yet.
    if tg_op = 'UPDATE' and old.empreinte is null and new.empreinte is not null
        and to_jsonb(new) - array['numero', 'empreinte', 'empreinte_avant'] = to_jsonb(old) - array['numero', 'empreinte', 'empreinte_avant'] then
        return new;
    end if;
    -- A whole day that has had its time.
    if tg_op = 'DELETE' and exists (select from audit_jours where jour = old.jour and elague_le is not null) then
        return old;
    end if;
    raise exception 'audit: rows are only added' using errcode = 'restrict_violation';
end
$$;
create trigger audit_inalterable before update or delete on audit for each row execute function audit_inalterable();
create trigger audit_non_vide before truncate on audit for each statement execute function audit_inalterable();
