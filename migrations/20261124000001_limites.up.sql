-- Requests of the current minute, summed over all replicas. Losing them in a crash costs nobody anything: unlogged.
create unlogged table limites (
    minute timestamptz not null,
    cle text not null,
    requetes integer not null,
    primary key (minute, cle)
);
