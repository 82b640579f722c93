drop table places;
drop table cadences;
drop table disjoncteurs;
