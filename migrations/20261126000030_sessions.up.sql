-- One row a sign-in. What is done with its tokens is checked against this row at every request.
create table sessions (
    id uuid primary key, -- `sid` of its access tokens
    user_id bigint not null constraint sessions_user_id_fkey references users on delete cascade,
    -- users.token_version when it began: whatever raises that ends the session, a program of the version before included.
    token_version integer not null,
    -- SHA-256 of the part that all refresh tokens of the session share: it finds the row.
    famille bytea not null constraint sessions_famille_key unique,
    empreinte bytea not null, -- SHA-256 of the present refresh token
    empreinte_avant bytea, -- of the one before it
    sel bytea, -- the present one is the hash of the one before it and of this
    created_at timestamptz not null,
    last_used_at timestamptz not null, -- the sign-in, or the last exchange of the refresh token
    expires_at timestamptz not null, -- without another exchange; never after `fin`
    fin timestamptz not null, -- its absolute end
    adresse text,
    user_agent text,
    revoked_at timestamptz,
    motif text constraint sessions_motif_check check (motif in (
        'deconnexion', 'deconnexion_partout', 'administrateur', 'mot_de_passe', 'reutilisation', 'desactivation')),
    constraint sessions_revoked_check check ((revoked_at is null) = (motif is null))
);
create index sessions_user_id_idx on sessions (user_id, last_used_at desc) where revoked_at is null;
create index sessions_expires_at_idx on sessions (expires_at);

-- The program of the version before still writes `refresh_tokens` while replicas are replaced one by one; this version reads them
-- nowhere, and `maintenance.purge` empties the table as they expire. The version after this one drops it.
comment on table refresh_tokens is 'of versions before sessions; read by them alone';
