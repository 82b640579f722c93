drop table appareils_surs;
drop table codes_secours;
drop table seconds_facteurs;
