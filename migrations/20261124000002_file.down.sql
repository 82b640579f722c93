drop view jobs;
drop table schedules;

alter table apalis.jobs reset (
    autovacuum_vacuum_scale_factor, autovacuum_vacuum_insert_scale_factor, autovacuum_analyze_scale_factor
);
drop trigger erp_notify on apalis.jobs;
drop function apalis.erp_notify();
create trigger notify_workers after insert on apalis.jobs
    for each row execute function apalis.notify_new_jobs();

drop index apalis.idx_jobs_idempotency_key;
create unique index idx_jobs_idempotency_key on apalis.jobs (job_type, idempotency_key);
create unique index unique_job_id on apalis.jobs (id);

drop index apalis.erp_jobs_finished, apalis.erp_jobs_error, apalis.erp_jobs_ended_badly, apalis.erp_jobs_type;
create index lidx on apalis.jobs (lock_by);
create index idx_apalis_jobs_lock_by on apalis.jobs (lock_by);
drop index apalis.erp_jobs_held;
create index idx_apalis_jobs_fetch_partial on apalis.jobs (job_type, priority desc, run_at)
    where status = 'Pending' or status = 'Failed' and attempts < max_attempts;
drop index apalis.erp_jobs_ready;

drop table apalis.paused_queues;
alter table apalis.jobs drop column created_at;
alter table apalis.jobs drop column attempts_log;

create function apalis.erp_garde() returns trigger language plpgsql as $$
begin
    if new.done_at is not null and new.done_at is distinct from old.done_at then
        if new.status in ('Running', 'Queued', 'Pending') then
            new.status := 'Failed';
        end if;
    elsif new.status = 'Pending' and new.attempts > old.attempts then
        if old.status = 'Queued' or new.last_result ->> 'Err' like '%worker shutdown%' then
            new.attempts := old.attempts;
        else
            new.metadata := coalesce(new.metadata, ''::hstore)
                || hstore('rescues', (coalesce((old.metadata -> 'rescues')::integer, 0) + 1)::text);
        end if;
    end if;
    return new;
end $$;

create trigger erp_garde before update on apalis.jobs
    for each row when (new.status <> 'Done') execute function apalis.erp_garde();
