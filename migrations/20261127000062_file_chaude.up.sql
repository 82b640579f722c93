-- The jobs move to the tables of the queue (schema `queue`, which its own migrations bring): live ones to a hot table, ended ones to
-- a ledger cut by day. No worker of the release before may run meanwhile; its API may (docs/RUNBOOK.md, « Mettre à jour »).
set local lock_timeout = '3s';
lock table apalis.jobs, apalis.workers, apalis.paused_queues in access exclusive mode;

-- What an operator redrove or removed since the migration before is not in the ledger.
delete from queue.ended e where not exists (
    select from apalis.jobs j where j.id = e.id and coalesce(j.done_at, e.ended_at) = e.ended_at
      and not (status in ('Pending', 'Running', 'Queued') or status = 'Failed' and attempts < max_attempts));

-- Whoever held a job has stopped: it is ready again, at the cost of no attempt.
insert into queue.jobs (id, queue, run_at, created_at, attempts, max_attempts, rescues, outages, outage_since, outage_of, key, error,
    metadata, history, payload)
select id, job_type, run_at, created_at, attempts - (status in ('Running', 'Queued'))::integer, max_attempts,
    coalesce((metadata -> 'rescues')::integer, 0), coalesce((metadata -> 'outages')::integer, 0),
    (metadata -> 'outage_since')::timestamptz, metadata -> 'outage_of', idempotency_key,
    case when status = 'Failed' then last_result ->> 'Err' end,
    nullif(hstore_to_jsonb(delete(coalesce(metadata, ''), array['rescues', 'outages', 'outage_since', 'outage_of'])), '{}'),
    nullif(attempts_log, '[]'), job
from apalis.jobs
where status in ('Pending', 'Running', 'Queued') or status = 'Failed' and attempts < max_attempts;

-- What has ended since the migration before.
insert into queue.ended (id, queue, outcome, ended_at, started_at, worker, run_at, created_at, attempts, max_attempts, rescues, key,
    error, metadata, history, payload)
select id, job_type, case status when 'Done' then 'done' when 'Cancelled' then 'cancelled' else 'dead' end,
    coalesce(done_at, now()), (attempts_log -> -1 ->> 'started_at')::timestamptz, attempts_log -> -1 ->> 'worker', run_at, created_at,
    attempts, max_attempts, coalesce((metadata -> 'rescues')::integer, 0), idempotency_key,
    case when status = 'Cancelled' then attempts_log -> -1 ->> 'error' else last_result ->> 'Err' end,
    nullif(hstore_to_jsonb(delete(coalesce(metadata, ''), array['rescues', 'outages', 'outage_since', 'outage_of'])), '{}'),
    nullif(attempts_log - -1, '[]'), job
from apalis.jobs j
where not exists (select from queue.ended e where e.id = j.id)
  and not (status in ('Pending', 'Running', 'Queued') or status = 'Failed' and attempts < max_attempts);

insert into queue.keys (queue, key, job, taken_at)
select job_type, idempotency_key, id, created_at from apalis.jobs where idempotency_key is not null
on conflict (queue, key) do update set job = excluded.job;

insert into queue.settings (queue, paused_at, paused_by) select name, paused_at, paused_by from apalis.paused_queues;

insert into queue.breakers (name, failures, open_since, last_error, probes, probe_at)
select nom, echecs, ouvert_depuis, derniere_erreur, essais, essai_a from disjoncteurs;

truncate apalis.jobs, apalis.workers, apalis.paused_queues;

-- An API of the release before enqueues here, until it is replaced.
drop trigger erp_notify on apalis.jobs;
drop function apalis.erp_notify();
-- With the rights of the owner: those of the programs on the new tables come a moment later.
create function apalis.erp_vers_la_file() returns trigger language plpgsql
security definer set search_path = pg_catalog, public, pg_temp as $$
begin
    if new.idempotency_key is not null then
        insert into queue.keys (queue, key, job) values (new.job_type, new.idempotency_key, new.id) on conflict do nothing;
        if not found then
            return null;
        end if;
    end if;
    insert into queue.jobs (id, queue, run_at, max_attempts, key, metadata, payload)
    values (new.id, new.job_type, new.run_at, new.max_attempts, new.idempotency_key,
        nullif(hstore_to_jsonb(coalesce(new.metadata, '')), '{}'), new.job);
    return null;
end $$;
create trigger erp_vers_la_file before insert on apalis.jobs for each row execute function apalis.erp_vers_la_file();

-- The jobs as operators see them (docs/jobs.md). `jobs`, which is empty now, is left to an API of the release before.
create view taches as
select id, queue as type, state, live, lock_free, attempts, max_attempts, rescues, created_at, run_at, started_at,
    ended_at as finished_at, case when live then worker end as worker, key, metadata ->> 'request_id' as request_id, error, progress,
    progress_note, payload, history, worker as last_worker
from queue.everything;
