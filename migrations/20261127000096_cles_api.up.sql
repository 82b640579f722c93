-- The keys that people give to scripts. Each is shown once: its hash is stored.
create table cles_api (
    id uuid primary key,
    user_id bigint not null constraint cles_api_user_id_fkey references users (id) on delete cascade,
    -- That of the account when the key was made: a change of password, role or address ends it, as it ends sessions.
    token_version integer not null,
    nom text not null,
    -- What it begins with, to be recognised by.
    debut text not null,
    empreinte bytea not null constraint cles_api_empreinte_key unique, -- SHA-256 of the key
    -- What it may do: `interventions:lire`, `documents:ecrire`…
    portees text[] not null,
    cree_le timestamptz not null,
    expire_le timestamptz not null,
    -- To the minute.
    utilisee_le timestamptz
);
create index cles_api_user_id_idx on cles_api (user_id, cree_le);
create index cles_api_expire_le_idx on cles_api (expire_le);
