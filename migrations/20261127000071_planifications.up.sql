-- The schedules belong to the queue. The view is for programs of the release before, which tick and edit through it.
lock table schedules in access exclusive mode;
insert into queue.schedules (name, cron, timezone, enabled, last_run_at, next_run_at, version, updated_at)
select name, cron, timezone, enabled, last_run_at, next_run_at, version, updated_at from schedules;
drop table schedules;
create view schedules as
select name, cron, timezone, enabled, last_run_at, next_run_at, updated_at, version from queue.schedules;
