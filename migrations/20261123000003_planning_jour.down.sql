alter table plannings drop column jour, drop column heure;
