drop function audit_elaguer(date, timestamptz, bigint);
alter function audit_sceller() security invoker reset search_path;
drop table audit_garde;
