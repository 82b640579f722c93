lock table queue.schedules in access exclusive mode;
drop view schedules;
create table schedules (
    name text primary key,
    cron text not null,
    timezone text not null,
    enabled boolean not null default true,
    last_run_at timestamptz,
    next_run_at timestamptz,
    updated_at timestamptz not null default now(),
    version bigint not null default 1
);
insert into schedules (name, cron, timezone, enabled, last_run_at, next_run_at, updated_at, version)
select name, cron, timezone, enabled, last_run_at, next_run_at, updated_at, version from queue.schedules;
-- The release before does not know this migration of the queue, and would not start beside it. The next `migrate` brings it again.
drop table queue.schedules;
drop function queue.schedule_edited();
delete from queue._migrations where version = 20261127000002;
create trigger version before update on schedules for each row
    execute function version_suivante('version', 'updated_at', 'last_run_at', 'next_run_at');
