-- A mail is one row from the moment it gathers to its end, digests too: what was sent, under which id, and whether its end
-- is known. Columns of big tables come without a rewrite; the two updates scan `envois` once and change few rows.

-- Mails of before have left, but for the few that follow: a default that is written down nowhere.
alter table envois add column statut text not null default 'envoyee';
alter table envois alter column statut set default 'en_file';
update envois e set statut = case
    when exists (select from envoi_notifications en join notifications n on n.id = en.notification_id
        where en.envoi_id = e.id and n.canal = 'email' and n.statut = 'en_file') then 'en_file'
    when exists (select from envoi_notifications en join notifications n on n.id = en.notification_id
        where en.envoi_id = e.id and n.statut = 'echouee') then 'echouee'
    else 'annulee' end
where parti_le is null;
-- One that is over gathers nothing more: what comes to its reader is for another mail.
update envois set ferme_le = coalesce(parti_le, now())
where ferme_le is null and (statut <> 'en_file' or parti_le is not null);

alter table envois
    add column jour date, -- of a digest: the local day it is about; null: a mail of notifications
    add column destinataire text, -- from here on frozen when the first transmission begins
    add column message_id text,
    add column corps bytea, -- the bytes that travel; removed after a while
    add column transmissions integer not null default 0, -- bodies that were begun
    add column transmis_le timestamptz, -- when the last of them was
    add column transmis_par text, -- the job that claimed it last, and since when it held that job: who they are, not a reference
    add column transmis_depuis timestamptz,
    add column en_doute boolean not null default false, -- a transmission of it ended without an answer
    add column derniere_erreur text,
    add constraint envois_statut_check
        check (statut in ('en_file', 'en_transmission', 'envoyee', 'echouee', 'incertaine', 'annulee')) not valid;

alter table notifications drop constraint notifications_statut_check;
alter table notifications add constraint notifications_statut_check
    check (statut in ('en_file', 'envoyee', 'echouee', 'incertaine')) not valid;
