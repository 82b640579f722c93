-- What the life of a job needs beyond apalis's own table (docs/jobs.md).

-- What the guard kept right after the fact, the workers' own statements do from now on. What apalis's workers had
-- fetched and not begun is ready again.
drop trigger erp_garde on apalis.jobs;
drop function apalis.erp_garde();
update apalis.jobs set status = 'Pending', lock_by = null, lock_at = null where status = 'Queued';

-- Every attempt that ended: number, worker, start, end, outcome, error. In the job's own row: written by the same
-- update that ends the attempt, gone with the row when it is pruned.
alter table apalis.jobs add column attempts_log jsonb not null default '[]';
alter table apalis.jobs add column created_at timestamptz not null default now();

-- A queue that an operator has paused has a row here; workers take no job of it.
create table apalis.paused_queues (
    name text primary key,
    paused_at timestamptz not null default now(),
    paused_by text not null
);

-- Taking jobs: the ready ones of a queue and a priority, oldest first.
create index erp_jobs_ready on apalis.jobs (job_type, priority, run_at)
    where status = 'Pending' or status = 'Failed' and attempts < max_attempts;
drop index apalis.idx_apalis_jobs_fetch_partial;

-- Rescue, and what a worker holds: few rows, however long the table.
create index erp_jobs_held on apalis.jobs (lock_by) where lock_by is not null;
drop index apalis.lidx, apalis.idx_apalis_jobs_lock_by;

-- The operators' lists, newest first, and pruning.
create index erp_jobs_type on apalis.jobs (job_type, id);
create index erp_jobs_ended_badly on apalis.jobs (status, id) where status in ('Killed', 'Cancelled');
create index erp_jobs_error on apalis.jobs (id) where last_result ->> 'Err' is not null and status <> 'Done';
create index erp_jobs_finished on apalis.jobs (status, done_at) where status in ('Done', 'Killed', 'Cancelled');

-- Every change of a job writes to every index that has its row. One was there twice; most jobs have no key.
drop index apalis.unique_job_id;
drop index apalis.idx_jobs_idempotency_key;
create unique index idx_jobs_idempotency_key on apalis.jobs (job_type, idempotency_key)
    where idempotency_key is not null;

-- One notification a statement and queue, where apalis's trigger sends one a row.
drop trigger notify_workers on apalis.jobs;
create function apalis.erp_notify() returns trigger language plpgsql as $$
begin
    perform pg_notify('erp_jobs', job_type)
    from (select distinct job_type from inserted where run_at <= clock_timestamp()) as queues;
    return null;
end $$;
create trigger erp_notify after insert on apalis.jobs
    referencing new table as inserted for each statement execute function apalis.erp_notify();

-- Finished rows come and go by the thousand; the default waits for a fifth of the table.
alter table apalis.jobs set (
    autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.02
);

-- The schedules: what comes due when. `next_run_at` is reckoned by the database's clock.
create table schedules (
    name text primary key,
    cron text not null,
    timezone text not null,
    enabled boolean not null default true,
    last_run_at timestamptz,
    next_run_at timestamptz,
    updated_at timestamptz not null default now()
);

insert into schedules (name, cron, timezone) values ('maintenance.purge', '0 3 * * *', 'Africa/Casablanca');

-- The jobs as operators see them (docs/jobs.md). `now()`, not the clock: a volatile function would hide the indexes.
create view jobs as
select
    id, job_type as type, status, coalesce(priority, 0) as priority, attempts, max_attempts, created_at, run_at,
    lock_at as started_at, done_at as finished_at, lock_by as worker,
    coalesce((metadata -> 'rescues')::integer, 0) as rescues,
    idempotency_key as key, metadata -> 'request_id' as request_id,
    last_result ->> 'Err' as error, job as payload, attempts_log as history,
    case
        when status = 'Pending' and run_at > now() then 'scheduled'
        when status = 'Failed' and attempts < max_attempts and run_at > now() then 'retrying'
        when status = 'Pending' or status = 'Failed' and attempts < max_attempts then 'ready'
        when status in ('Failed', 'Killed') then 'dead'
        when status in ('Running', 'Queued') then 'running'
        else lower(status)
    end as state
from apalis.jobs;
