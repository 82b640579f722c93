-- What the release before knows: the queue of mails by its old name, and no mail whose end is in doubt.
update apalis.jobs j set job_type = 'emails.group'
where job_type = 'emails' and status in ('Pending', 'Failed', 'Running', 'Killed')
  and not exists (select from envois e where e.id::text = j.idempotency_key and e.jour is not null);
-- Digests that have not left are made again, in the queue of before.
delete from evenements_notifies t using envois e
where e.jour is not null and e.statut in ('en_file', 'en_transmission') and t.user_id = e.user_id and t.cle = 'digest:' || e.jour;
insert into apalis.jobs (id, job_type, job, status, attempts, max_attempts, run_at, idempotency_key, metadata)
select 'digest-' || id, 'emails.digest', convert_to(json_build_object('user_id', user_id, 'jour', jour)::text, 'UTF8'), 'Pending', 0, 30,
    now(), user_id || ':' || jour, ''
from envois where jour is not null and statut in ('en_file', 'en_transmission')
on conflict do nothing;
delete from envois where jour is not null;

update notifications set statut = 'echouee' where statut = 'incertaine';
alter table notifications drop constraint notifications_statut_check;
alter table notifications add constraint notifications_statut_check
    check (statut in ('en_file', 'envoyee', 'echouee')) not valid;

alter table envois
    drop column statut, drop column jour, drop column destinataire, drop column message_id, drop column corps,
    drop column transmissions, drop column transmis_le, drop column transmis_par, drop column transmis_depuis,
    drop column en_doute, drop column derniere_erreur;
