-- What was planned keeps the instants that the newer rules gave it.
drop table regles_horaires_instances, regles_horaires_reports, regles_horaires_journal, regles_horaires;
