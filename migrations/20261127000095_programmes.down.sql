drop table rythmes;
drop table programmes;
