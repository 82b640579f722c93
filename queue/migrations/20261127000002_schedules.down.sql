drop table queue.schedules;
drop function queue.schedule_edited();
