-- Who the owner of an account is at the provider of the company, by which they sign in there.
create table identites (
    -- The provider (`iss`), and who it is there (`sub`), which never changes.
    emetteur text not null,
    sujet text not null,
    user_id bigint not null constraint identites_user_id_fkey references users (id) on delete cascade,
    cree_le timestamptz not null,
    primary key (emetteur, sujet),
    -- Nobody is two people at one provider.
    constraint identites_user_id_key unique (user_id, emetteur)
);
