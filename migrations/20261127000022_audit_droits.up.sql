-- The audit under a role that owns nothing (deploy/postgres/roles.sql): it inserts and reads, and what else has to be done
-- to these tables is done here, by functions that run with the rights of their owner.

-- How long the audit is kept at the least, whatever the program asks for. `erp-api migrate` writes AUDIT_DAYS here, and the
-- role of the programs can only read it: whoever has stolen that role removes nothing that is younger.
create table audit_garde (
    seule boolean primary key default true constraint audit_garde_seule_check check (seule),
    jours integer not null constraint audit_garde_jours_check check (jours > 0)
);
insert into audit_garde (jours) values (730);

alter function audit_sceller() security definer set search_path = public, pg_temp;

-- Removes whole days that ended before `avant` and have had their time, and keeps the last hash of each; up to `limite` rows.
create function audit_elaguer(avant date, moment timestamptz, limite bigint) returns bigint
language plpgsql security definer set search_path = public, pg_temp as $$
declare
    garde integer := coalesce((select jours from audit_garde), 36500);
    parties bigint;
begin
    update audit_jours set elague_le = moment
    where jour < least(avant, (now() at time zone 'UTC')::date - garde) and elague_le is null;
    delete from audit
    where id in (
        select a.id from audit a join audit_jours j on j.jour = a.jour and j.elague_le is not null
        order by a.id limit limite);
    get diagnostics parties = row_count;
    return parties;
end
$$;
revoke execute on function audit_elaguer(date, timestamptz, bigint) from public;
