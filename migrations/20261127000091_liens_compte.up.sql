-- The links that are mailed to the owner of an account, each good once. The secret in a link is derived from its id by a key of
-- the programs: it is not in this table.
create table liens_compte (
    id uuid primary key,
    user_id bigint not null constraint liens_compte_user_id_fkey references users (id) on delete cascade,
    -- That of the account when the link was made: a change of password ends the link.
    token_version integer not null,
    cree_le timestamptz not null,
    expire_le timestamptz not null,
    -- Used, or replaced by a newer one.
    fini_le timestamptz
);
create index liens_compte_user_id_idx on liens_compte (user_id, cree_le);
create index liens_compte_expire_le_idx on liens_compte (expire_le);
