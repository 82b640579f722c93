delete from schedules where name = 'maintenance.reconcile';
drop table reconciliations;
