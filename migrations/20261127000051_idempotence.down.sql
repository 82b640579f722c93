-- A request sent again is a new one.
drop table idempotence;
