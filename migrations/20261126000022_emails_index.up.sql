-- The checks are made without holding up those who write; the index holds them up for one scan of `envois`, some tenths of a
-- second for a million mails.
alter table envois validate constraint envois_statut_check;
alter table notifications validate constraint notifications_statut_check;
-- The mails that are not over, and those whose end is in doubt: few, however long the table.
create index envois_statut_idx on envois (statut, id) where statut in ('en_file', 'en_transmission', 'incertaine', 'echouee');
