drop table identites;
