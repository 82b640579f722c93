alter table apalis.workers drop column heard_since;
