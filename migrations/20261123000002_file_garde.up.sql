-- What apalis-postgres 1.0 leaves undone in the life of a job, kept where every worker must pass: on its own table.
-- (1) A job handed back unstarted, at a stop or because its worker died holding it in its buffer, has cost no attempt.
-- (2) A job whose worker died while running it counts that as a rescue, in its metadata: the runner ends it after the third.
-- (3) A job acknowledged in a state that nobody takes up again ('Running', 'Queued', 'Pending') is a failure.
create function apalis.erp_garde() returns trigger language plpgsql as $$
begin
    if new.done_at is not null and new.done_at is distinct from old.done_at then
        if new.status in ('Running', 'Queued', 'Pending') then
            new.status := 'Failed';
        end if;
    elsif new.status = 'Pending' and new.attempts > old.attempts then
        if old.status = 'Queued' or new.last_result ->> 'Err' like '%worker shutdown%' then
            new.attempts := old.attempts;
        else
            new.metadata := coalesce(new.metadata, ''::hstore)
                || hstore('rescues', (coalesce((old.metadata -> 'rescues')::integer, 0) + 1)::text);
        end if;
    end if;
    return new;
end $$;

create trigger erp_garde before update on apalis.jobs
    for each row when (new.status <> 'Done') execute function apalis.erp_garde();
