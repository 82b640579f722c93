-- Whoever is signed in signs in again.
comment on table refresh_tokens is null;
drop table sessions;
