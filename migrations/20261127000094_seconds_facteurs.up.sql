-- Second factors: the secret that an application on a phone makes codes from, one for an account.
create table seconds_facteurs (
    user_id bigint primary key constraint seconds_facteurs_user_id_fkey references users (id) on delete cascade,
    -- Sealed by a key of the programs: who has a copy of the database makes no codes from it.
    secret bytea not null,
    -- The name of that key.
    cle bytea not null,
    cree_le timestamptz not null,
    -- Null until the first good code: nobody is asked for one before.
    confirme_le timestamptz,
    -- The last step of thirty seconds whose code was used: none of it or before is good again.
    dernier_pas bigint not null default 0
);
create index seconds_facteurs_cle_idx on seconds_facteurs (cle);

-- The codes for who has lost the phone, each good once.
create table codes_secours (
    user_id bigint not null constraint codes_secours_user_id_fkey references seconds_facteurs (user_id) on delete cascade,
    empreinte bytea not null, -- SHA-256 of the code
    utilise_le timestamptz,
    primary key (user_id, empreinte)
);

-- The devices that are not asked for a code for a while.
create table appareils_surs (
    id uuid primary key,
    user_id bigint not null constraint appareils_surs_user_id_fkey references seconds_facteurs (user_id) on delete cascade,
    -- That of the account when it was made: a change of password ends it.
    token_version integer not null,
    empreinte bytea not null constraint appareils_surs_empreinte_key unique, -- SHA-256 of its secret
    cree_le timestamptz not null,
    expire_le timestamptz not null,
    -- Where it was made, as for sessions.
    adresse text,
    user_agent text
);
create index appareils_surs_user_id_idx on appareils_surs (user_id, cree_le);
create index appareils_surs_expire_le_idx on appareils_surs (expire_le);
