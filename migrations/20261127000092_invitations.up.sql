-- The accounts whose owners were invited, and have not chosen a password yet.
create table invitations (
    -- That of the account.
    id bigint primary key constraint invitations_id_fkey references users (id) on delete cascade,
    invite_par bigint constraint invitations_invite_par_fkey references users (id) on delete set null,
    cree_le timestamptz not null,
    -- When its last link ends.
    expire_le timestamptz not null
);

-- What a link is for. One that was made before is for a forgotten password.
alter table liens_compte add column genre text not null default 'oubli'
    constraint liens_compte_genre_check check (genre in ('oubli', 'invitation', 'connexion'));
