drop table notifications, documents, historique, interventions, plannings, equipements,
    technicien_competences, techniciens, competences, login_failures, refresh_tokens, users, clients;
