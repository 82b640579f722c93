-- Beside `queue.everything` what statements of a program may read, or join with its own tables.
create view queue.processes as
select id, started_at, last_seen, signed_off_at from queue.workers;
comment on view queue.processes is 'The processes that run jobs: one row each, for a day after it was last heard of.';
comment on view queue.everything is 'All jobs, live and ended. `live` chooses the table; `started_at` tells an attempt of a job from every other.';
