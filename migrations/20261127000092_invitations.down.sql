drop table invitations;
delete from liens_compte where genre <> 'oubli';
alter table liens_compte drop column genre;
