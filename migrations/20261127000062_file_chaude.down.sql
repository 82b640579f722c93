set local lock_timeout = '3s';
lock table apalis.jobs, queue.jobs, queue.ended, queue.keys, queue.workers in access exclusive mode;
drop view taches;
drop trigger erp_vers_la_file on apalis.jobs;
drop function apalis.erp_vers_la_file();

insert into apalis.jobs (id, job_type, job, status, attempts, max_attempts, priority, run_at, created_at, idempotency_key, metadata,
    last_result, attempts_log)
select id, queue, payload, case when error is null then 'Pending' else 'Failed' end,
    attempts - (lock_by is not null)::integer, greatest(max_attempts, attempts + 1), 1, run_at, created_at,
    (select k.key from queue.keys k where k.queue = j.queue and k.key = j.key and k.job = j.id),
    coalesce((select hstore(array_agg(e.key), array_agg(e.value)) from jsonb_each_text(j.metadata) e), '')
        || case when rescues = 0 then ''::hstore else hstore('rescues', rescues::text) end
        || case when outages = 0 then ''::hstore else hstore('outages', outages::text) end
        || case when outage_since is null then ''::hstore else hstore('outage_since', outage_since::text) end
        || case when outage_of is null then ''::hstore else hstore('outage_of', outage_of) end,
    case when error is not null then jsonb_build_object('Err', error) end, coalesce(history, '[]')
from queue.jobs j;

insert into apalis.jobs (id, job_type, job, status, attempts, max_attempts, priority, run_at, created_at, done_at, idempotency_key, metadata,
    last_result, attempts_log)
select id, queue, payload, case outcome when 'done' then 'Done' when 'cancelled' then 'Cancelled' else 'Killed' end,
    attempts, max_attempts, 1, run_at, created_at, ended_at,
    (select k.key from queue.keys k where k.queue = j.queue and k.key = j.key and k.job = j.id),
    coalesce((select hstore(array_agg(e.key), array_agg(e.value)) from jsonb_each_text(j.metadata) e), '')
        || case when rescues = 0 then ''::hstore else hstore('rescues', rescues::text) end,
    jsonb_build_object(case when error is null then 'Ok' else 'Err' end, error),
    coalesce(history, '[]') || jsonb_build_object('attempt', attempts, 'worker', worker, 'started_at', started_at, 'ended_at', ended_at,
        'outcome', outcome, 'error', error)
from queue.ended j;

insert into apalis.paused_queues (name, paused_at, paused_by) select queue, paused_at, paused_by from queue.settings where paused_at is not null;
update disjoncteurs d set echecs = b.failures, ouvert_depuis = b.open_since, derniere_erreur = b.last_error, essais = b.probes,
    essai_a = b.probe_at, essai_par = null, essai_tache = null, essai_jusqu_a = null
from queue.breakers b where b.name = d.nom;

delete from queue.jobs;
delete from queue.settings;
delete from queue.breakers;
delete from queue.workers;

create function apalis.erp_notify() returns trigger language plpgsql as $$
begin
    perform pg_notify('erp_jobs', job_type)
    from (select distinct job_type from inserted where run_at <= clock_timestamp()) as queues;
    return null;
end $$;
create trigger erp_notify after insert on apalis.jobs
    referencing new table as inserted for each statement execute function apalis.erp_notify();
