-- What operators see of the programs: each replica of the API and of the worker, every ten seconds.
create table programmes (
    instance text primary key,
    -- erp-api or erp-worker
    programme text not null,
    version text not null,
    -- The memory it holds, in bytes; null where the system does not say.
    memoire_octets bigint,
    demarre_le timestamptz not null default clock_timestamp(),
    vu_le timestamptz not null
) with (fillfactor = 50);

-- How many attempts of a queue ended in each minute, added up by all workers: for charts. It is not exact: a worker that is killed
-- takes up to ten seconds of it along.
create table rythmes (
    file text not null,
    minute timestamptz not null,
    faites integer not null,
    -- Failed, whatever became of the job.
    echouees integer not null,
    -- What they took, together.
    duree_ms bigint not null,
    constraint rythmes_pkey primary key (file, minute)
) with (fillfactor = 70);
create index rythmes_minute_idx on rythmes (minute);
