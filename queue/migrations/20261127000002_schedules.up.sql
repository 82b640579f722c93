-- What comes due by the clock. A tick becomes a job in the transaction that moves `next_run_at` on.
create table queue.schedules (
    name text collate "C" primary key,
    -- What the program reckons the ticks from; nothing here reads it.
    cron text not null,
    timezone text not null,
    enabled boolean not null default true,
    -- The tick that was enqueued last.
    last_run_at timestamptz,
    -- Null until somebody has reckoned it, and when no date fits.
    next_run_at timestamptz,
    -- Raised by whoever changes when it comes due.
    version bigint not null default 1,
    updated_at timestamptz not null default now()
);

create function queue.schedule_edited() returns trigger language plpgsql as $$
begin
    if (new.cron, new.timezone, new.enabled) is distinct from (old.cron, old.timezone, old.enabled) then
        new.version := old.version + 1;
    end if;
    return new;
end
$$;
create trigger version before update on queue.schedules for each row execute function queue.schedule_edited();
