alter table users drop column last_login;
alter table documents drop column description;
alter table interventions
    drop column satisfaction,
    drop column temps_deplacement,
    drop column recommandations,
    drop column travaux_realises,
    drop column cout_estime;
