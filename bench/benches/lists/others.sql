insert into historique (intervention_id, statut, remarque, horodatage, user_id)
    select i.id, etapes.statut, 'Pièce commandée', i.date_creation + n * interval '1 hour', 1 + i.id % 60
    from interventions i,
         unnest(array['ouverte', 'affectee', 'en_cours', 'cloturee', 'archivee']) with ordinality as etapes (statut, n);
insert into notifications (type, canal, contenu, intervention_id, user_id, read, statut, date_creation, date_envoi)
    select (array['affectation', 'cloture', 'rappel', 'retard', 'information'])[1 + n % 5],
           case when n % 3 = 0 then 'log' else 'email' end, 'Contenu ' || n, n, 1 + n % 60, n <= SIZE - 900,
           case when n > SIZE - 20 then 'en_file' when n % 5000 = 7 then 'echouee' else 'envoyee' end,
           to_timestamp(NOW) - (SIZE - n) * interval '3 minutes', to_timestamp(NOW) - (SIZE - n) * interval '3 minutes'
    from generate_series(1, SIZE) n;
insert into documents (fichier, extension, filename, intervention_id, depose_par, date_upload, status, content_type, size_bytes, sha256)
    select gen_random_uuid(), 'jpg', 'IMG_' || n || '.jpg', n, 1 + n % 60, to_timestamp(NOW) - (SIZE - n) * interval '3 minutes',
           case when n % 5000 = 7 then 'failed' else 'ready' end, 'image/jpeg', 1 + (random() * 9000000)::int, repeat('0', 64)
    from generate_series(1, SIZE) n;
insert into envois (user_id, part_le, ferme_le, parti_le, statut)
    select 1 + n % 60, to_timestamp(NOW), to_timestamp(NOW), to_timestamp(NOW), case when n % 5000 = 7 then 'echouee' else 'envoyee' end
    from generate_series(1, SIZE) n;
-- The seal of each row takes longer than all the rest, and no list reads it.
alter table audit disable trigger user;
truncate audit;
insert into audit (jour, horodatage, action, user_id, cible, cible_id)
    select (to_timestamp(NOW) - (SIZE - n) * interval '3 minutes')::date, to_timestamp(NOW) - (SIZE - n) * interval '3 minutes',
           case when n % 5000 = 7 then 'jeton_reutilise' else 'connexion' end, 1 + n % 60, 'compte', 1 + n % 60
    from generate_series(1, SIZE) n;
alter table audit enable trigger user;
vacuum analyze historique;
vacuum analyze notifications;
vacuum analyze documents;
vacuum analyze envois;
vacuum analyze audit;
