drop function queue.keep_days(integer);
drop view queue.everything;
drop table queue.batches, queue.breakers, queue.settings, queue.workers, queue.keys, queue.ended, queue.jobs;
