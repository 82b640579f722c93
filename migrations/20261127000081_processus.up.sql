-- The programs of this version read `queue.processes`, which the queue's own migrations have brought: with this one they are
-- known to be there.
select from queue.processes limit 0;
