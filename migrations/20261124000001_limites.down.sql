drop table limites;
