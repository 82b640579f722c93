-- Live jobs: scheduled, ready, running, waiting for their next attempt. The columns that a claim, a heartbeat or a report of
-- progress changes stand in no index and in no predicate of one, and each page has room for new versions of its rows: nearly
-- every update is a HOT update, which writes to no index.
create table queue.jobs (
    -- A ULID: later jobs have greater ids.
    id text collate "C" primary key,
    queue text collate "C" not null,
    run_at timestamptz not null,
    created_at timestamptz not null default clock_timestamp(),
    -- Begun so far; an attempt that ended by an outage, a snooze or a hand-back is taken off again.
    attempts integer not null default 0,
    max_attempts integer not null,
    -- Workers that died while they ran it.
    rescues integer not null default 0,
    -- Attempts in a row that met an outage, and the first of them.
    outages integer not null default 0,
    outage_since timestamptz,
    -- The dependency that was away.
    outage_of text,
    -- The lease: who runs it, and since when. Both or neither.
    lock_by text,
    lock_at timestamptz,
    key text collate "C",
    batch text collate "C",
    error text,
    progress real check (progress between 0 and 1),
    progress_note text,
    checkpoint jsonb,
    metadata jsonb,
    -- Every attempt that ended and was not the last, oldest first, the last hundred.
    history jsonb,
    payload bytea not null,
    check ((lock_by is null) = (lock_at is null))
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05);

create index jobs_ready on queue.jobs (queue, run_at);

-- Ended jobs. Those that died are few and are kept longest; the others are cut by day, so that pruning drops a table.
create table queue.ended (
    id text collate "C" not null,
    queue text collate "C" not null,
    outcome text collate "C" not null,
    ended_at timestamptz not null,
    started_at timestamptz,
    worker text,
    run_at timestamptz not null,
    created_at timestamptz not null,
    attempts integer not null,
    max_attempts integer not null,
    rescues integer not null,
    key text collate "C",
    batch text collate "C",
    error text,
    result jsonb,
    metadata jsonb,
    history jsonb,
    payload bytea not null
) partition by list (outcome);
create index ended_id on queue.ended (id);
create index ended_queue on queue.ended (queue, id);
-- Few among many: the lists of operators.
create index ended_badly on queue.ended (id) where outcome <> 'done';
create table queue.ended_dead partition of queue.ended for values in ('dead');
create table queue.ended_days partition of queue.ended for values in ('done', 'cancelled') partition by range (ended_at);
-- Whatever has no day of its own: nothing, as long as somebody calls `queue.keep_days`.
create table queue.ended_rest partition of queue.ended_days default;
create index ended_rest_time on queue.ended_rest (ended_at);

-- The keys that are taken: jobs of one queue with one key are one job.
create table queue.keys (
    queue text collate "C" not null,
    key text collate "C" not null,
    job text collate "C" not null,
    taken_at timestamptz not null default clock_timestamp(),
    primary key (queue, key)
);

-- The processes that run jobs.
create table queue.workers (
    id text primary key,
    queues text[] not null,
    started_at timestamptz not null default clock_timestamp(),
    last_seen timestamptz not null,
    -- Since when it has been heard of without a gap.
    heard_since timestamptz not null,
    -- Silent, its jobs were looked for then.
    searched_at timestamptz,
    -- It has ended in order. Its row stays for a day: a claim of its may commit late.
    signed_off_at timestamptz
) with (fillfactor = 50);

-- What operators have decided for a queue, over what its program says.
create table queue.settings (
    queue text collate "C" primary key,
    paused_at timestamptz,
    paused_by text,
    -- Attempts at once in each process.
    concurrency integer check (concurrency between 1 and 1000)
);

-- What all processes know together of a service that jobs need.
create table queue.breakers (
    name text primary key,
    failures integer not null default 0,
    open_since timestamptz,
    last_error text,
    probes integer not null default 0,
    probe_at timestamptz not null default '-infinity',
    probe_by text,
    probe_job text,
    probe_until timestamptz
);

-- Jobs that are waited for together.
create table queue.batches (
    id text collate "C" primary key,
    created_at timestamptz not null default clock_timestamp(),
    -- Nothing is added any more.
    closed_at timestamptz,
    ended_at timestamptz,
    jobs integer not null default 0,
    done integer not null default 0,
    dead integer not null default 0,
    cancelled integer not null default 0,
    -- The job that is enqueued when all have ended, under this id.
    then_job text collate "C" not null,
    then_queue text collate "C" not null,
    then_payload bytea not null,
    then_max_attempts integer not null,
    then_metadata jsonb
);

-- All jobs, live and ended, as operators see them.
create view queue.everything as
select id, queue, true as live, lock_by is null as lock_free,
    case
        when lock_by is not null then 'running'
        when run_at <= now() then 'ready'
        when error is not null then 'retrying'
        else 'scheduled'
    end as state,
    run_at, created_at, lock_at as started_at, null::timestamptz as ended_at, lock_by as worker, attempts, max_attempts,
    rescues, key, batch, error, progress, progress_note, metadata, history, payload
from queue.jobs
union all
select id, queue, false, true, outcome, run_at, created_at, started_at, ended_at, worker, attempts, max_attempts,
    rescues, key, batch, error, null, null, metadata, history, payload
from queue.ended;

-- Gives the next days a table each, and drops the days that lie more than `kept` back; gives how many were dropped.
-- Run by whoever runs jobs, who need not own the tables. Does nothing while it cannot have the locks at once.
create function queue.keep_days(kept integer) returns integer
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
declare
    today constant date := (clock_timestamp() at time zone 'UTC')::date;
    dropped integer := 0;
    day date;
    part record;
begin
    if kept < 1 then
        raise exception 'at least a day is kept';
    end if;
    if not pg_try_advisory_xact_lock(hashtext('queue.keep_days')) then
        return 0;
    end if;
    for day in select today + n from generate_series(0, 3) n loop
        if to_regclass(format('queue.ended_%s', to_char(day, 'YYYYMMDD'))) is null
            and not exists (select from queue.ended_rest
                where ended_at >= day::timestamp at time zone 'UTC' and ended_at < (day + 1)::timestamp at time zone 'UTC')
        then
            execute format('create table queue.ended_%s partition of queue.ended_days for values from (%L) to (%L)',
                to_char(day, 'YYYYMMDD'), day::timestamp at time zone 'UTC', (day + 1)::timestamp at time zone 'UTC');
        end if;
    end loop;
    for part in
        select c.oid::regclass as name from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = 'queue.ended_days'::regclass and c.relname ~ '^ended_\d{8}$'
          and to_date(right(c.relname, 8), 'YYYYMMDD') < today - kept
    loop
        -- One that is being read waits for the next time, and holds up no new day.
        begin
            execute format('drop table %s', part.name);
            dropped := dropped + 1;
        exception when lock_not_available then null;
        end;
    end loop;
    return dropped;
end $$;
revoke all on function queue.keep_days(integer) from public;
select queue.keep_days(7);
