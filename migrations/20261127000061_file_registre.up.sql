-- The ledger of the queue takes over the jobs that have ended: they change no more, so that nobody waits meanwhile. What is live
-- follows in the next migration.
-- The last entry of an attempts_log is the end of the job, which the columns of the ledger say.
insert into queue.ended (id, queue, outcome, ended_at, started_at, worker, run_at, created_at, attempts, max_attempts, rescues, key,
    error, metadata, history, payload)
select id, job_type, case status when 'Done' then 'done' when 'Cancelled' then 'cancelled' else 'dead' end,
    coalesce(done_at, now()), (attempts_log -> -1 ->> 'started_at')::timestamptz, attempts_log -> -1 ->> 'worker', run_at, created_at,
    attempts, max_attempts, coalesce((metadata -> 'rescues')::integer, 0), idempotency_key,
    case when status = 'Cancelled' then attempts_log -> -1 ->> 'error' else last_result ->> 'Err' end,
    nullif(hstore_to_jsonb(delete(coalesce(metadata, ''), array['rescues', 'outages', 'outage_since', 'outage_of'])), '{}'),
    nullif(attempts_log - -1, '[]'), job
from apalis.jobs
where not (status in ('Pending', 'Running', 'Queued') or status = 'Failed' and attempts < max_attempts);

insert into queue.keys (queue, key, job, taken_at)
select job_type, idempotency_key, id, created_at from apalis.jobs
where idempotency_key is not null
  and not (status in ('Pending', 'Running', 'Queued') or status = 'Failed' and attempts < max_attempts)
on conflict do nothing;
