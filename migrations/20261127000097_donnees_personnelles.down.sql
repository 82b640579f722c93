drop table pseudonymisations;
alter table users drop column pseudonymise_le;
drop table exports_personnels;
