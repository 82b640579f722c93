-- The answers to requests that came with an Idempotency-Key, written in the transaction of what the request did: the same
-- request sent again within a day is answered from here and does nothing.
create table idempotence (
    user_id bigint not null references users on delete cascade,
    route text not null, -- method and route, below /api/v1
    cle text not null constraint idempotence_cle_check check (length(cle) between 1 and 255),
    empreinte bytea not null, -- HMAC-SHA256 of the request, by a key that is not in this database
    statut smallint not null,
    corps text -- null: too large to be kept; never with a secret in it
        constraint idempotence_corps_check check (octet_length(corps) <= 262144),
    cree_le timestamptz not null,
    primary key (user_id, route, cle)
);
create index idempotence_cree_le_idx on idempotence (cree_le);
