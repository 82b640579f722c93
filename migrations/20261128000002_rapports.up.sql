-- Reports that somebody asked for, and the file of each, which a job makes.
create table rapports (
    -- By the time of the request.
    id uuid primary key,
    user_id bigint not null constraint rapports_user_id_fkey references users (id) on delete cascade,
    type text not null,
    format text not null constraint rapports_format_check check (format in ('csv', 'xlsx')),
    filtres jsonb not null,
    langue text not null constraint rapports_langue_check check (langue in ('fr', 'en')),
    titre text not null,
    -- The hash of all that was asked for.
    empreinte bytea not null,
    -- Of the data when it was asked for: the same request is the same report only while they have not changed.
    version text not null,
    statut text not null default 'pending' constraint rapports_statut_check
        check (statut in ('pending', 'generating', 'ready', 'failed', 'expired', 'cancelled')),
    -- Raised when it is made again: the job of an earlier turn changes nothing.
    tour integer not null default 1,
    cree_le timestamptz not null,
    -- When this turn began: what depends on the time (late or not) is said as of then.
    debut_le timestamptz,
    -- When it was ready, failed or cancelled.
    fini_le timestamptz,
    expire_le timestamptz,
    -- Rows written so far, and how many there will be.
    lignes bigint not null default 0,
    lignes_prevues bigint,
    -- Where the next attempt goes on: the parts of the file so far, and the last row in them.
    reprise jsonb,
    fichier uuid constraint rapports_fichier_key unique,
    -- Bytes.
    taille bigint,
    -- Why it failed.
    motif text constraint rapports_motif_check check (motif in ('droits', 'filtres', 'abandon'))
);
create index rapports_user_id_idx on rapports (user_id, id);
create index rapports_expire_le_idx on rapports (expire_le) where statut = 'ready';
create index rapports_reprise_idx on rapports (fini_le) where reprise is not null;
create index rapports_cree_le_idx on rapports (cree_le);

-- Addresses that open a report without a session, until their end and so many times.
create table rapports_liens (
    id uuid primary key,
    rapport_id uuid not null constraint rapports_liens_rapport_id_fkey references rapports (id) on delete cascade,
    cree_le timestamptz not null,
    expire_le timestamptz not null,
    telechargements integer not null default 0,
    telechargements_max integer
);
create index rapports_liens_rapport_id_idx on rapports_liens (rapport_id);
