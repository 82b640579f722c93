drop table audit, audit_jours cascade;
drop function audit_sceller, audit_inalterable;
