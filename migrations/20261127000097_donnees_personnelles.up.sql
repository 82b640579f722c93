-- The files of what the system knows about a person, made when that person asks: one for an account.
create table exports_personnels (
    user_id bigint primary key constraint exports_personnels_user_id_fkey references users (id) on delete cascade,
    -- The request: a newer one replaces it.
    id uuid not null constraint exports_personnels_id_key unique,
    demande_le timestamptz not null,
    statut text not null default 'pending'
        constraint exports_personnels_statut_check check (statut in ('pending', 'ready', 'failed')),
    -- Once it is ready: the stored file, its size in bytes, and when it is removed.
    fichier uuid constraint exports_personnels_fichier_key unique,
    taille bigint,
    pret_le timestamptz,
    expire_le timestamptz
);
create index exports_personnels_expire_le_idx on exports_personnels (expire_le) where expire_le is not null;

-- When the name of an account was replaced by a number, for good.
alter table users add column pseudonymise_le timestamptz;

-- The names that are still to be taken out of the journals; a row goes when that is done.
create table pseudonymisations (
    user_id bigint primary key constraint pseudonymisations_user_id_fkey references users (id) on delete cascade,
    nom text not null,
    -- Whether another technicien has the same name: a line of a journal does not tell which one it is about, and stays.
    partage boolean not null,
    -- When it was asked for, or taken up again.
    demande_le timestamptz not null
);
