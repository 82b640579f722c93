-- The release before 71 does not know this migration of the queue, and would not start beside it. The next `migrate` brings it
-- again.
drop view if exists queue.processes;
delete from queue._migrations where version = 20261127000003;
