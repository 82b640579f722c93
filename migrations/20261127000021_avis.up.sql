-- What the owner of an account is told at once: a new password, a first sign-in from a new device.
alter table envois add column avis jsonb; -- null: a mail of notifications, or a digest

-- What an account was signed in from: the kind of program and the network, as a hash. Of an account without any row there is
-- nothing to compare a sign-in with, and nobody is told.
create table appareils (
    user_id bigint not null references users on delete cascade,
    empreinte bytea not null, -- SHA-256
    vu_le timestamptz not null, -- the last sign-in
    primary key (user_id, empreinte)
);
create index appareils_vu_le_idx on appareils (vu_le);
