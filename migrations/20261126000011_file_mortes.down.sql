drop index apalis.erp_jobs_dead;
