drop table notifications, documents, historique, interventions, plannings, equipements,
    technicien_competences, techniciens, competences, login_failures, refresh_tokens, users, clients;
-- pg_trgm stays: something else in the database may have come to use it.
