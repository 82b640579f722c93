drop trigger erp_garde on apalis.jobs;
drop function apalis.erp_garde();
