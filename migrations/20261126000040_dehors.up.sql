-- What all workers share about what is outside (docs/jobs.md, "Outages"): small tables, one row a dependency or a place.

-- A breaker: while it is open nobody takes jobs that need `nom`, but for one probe at a time.
create table disjoncteurs (
    nom text primary key,
    echecs integer not null default 0, -- in a row, without an answer between
    derniere_erreur text,
    ouvert_depuis timestamptz, -- null: closed
    essais integer not null default 0, -- probes that failed since it opened
    essai_a timestamptz not null default '-infinity', -- no probe before
    essai_par text, -- the process that probes
    essai_tache text, -- with this job
    essai_jusqu_a timestamptz -- renewed while it lives; past: whoever comes may probe
) with (fillfactor = 50);
insert into disjoncteurs (nom) values ('smtp'), ('storage');

-- An even pace: when the next one may begin.
create table cadences (
    nom text primary key,
    prochain timestamptz not null
) with (fillfactor = 50);

-- Places for connections; the process that holds one has a connection open.
create table places (
    nom text not null,
    numero integer not null,
    tenue_par text,
    depuis timestamptz,
    primary key (nom, numero)
) with (fillfactor = 50);
