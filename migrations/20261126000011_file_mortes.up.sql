-- The dead jobs of one queue, counted without the rows and without those of the others.
create index erp_jobs_dead on apalis.jobs (job_type) where status = 'Killed';
