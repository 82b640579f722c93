truncate interventions, historique, equipements, clients, techniciens, users restart identity cascade;
insert into clients (nom_entreprise, date_creation) select 'Client ' || n, to_timestamp(NOW) from generate_series(1, 40) n;
insert into users (username, full_name, email, role, password_hash, created_at, updated_at)
    select 'tech' || n, 'Technicien ' || n, 'tech' || n || '@mif.example', 'technicien', '', to_timestamp(NOW), to_timestamp(NOW)
    from generate_series(1, 60) n;
insert into techniciens (user_id) select id from users;
insert into equipements (nom, type, localisation, client_id)
    select 'Machine ' || n, 'Pompe', 'Safi', 1 + n % 40 from generate_series(1, greatest(200, SIZE / 200)) n;
select setseed(0.5);
insert into interventions (titre, description, type, statut, priorite, urgence, date_creation, date_limite, date_cloture,
                           technicien_id, equipement_id, duree_estimee, cout_pieces)
    select (array['Fuite à la garniture', 'Bruit au palier', 'Échauffement du moteur', 'Vidange', 'Contrôle annuel'])[1 + (random() * 4)::int]
               || ' n° ' || n || case when n % 20000 = 7 then ' hydrofuge' else '' end,
           case when n % 3 = 0 then 'Signalé par l''atelier pendant la ronde du matin.' end,
           (array['corrective', 'preventive', 'ameliorative', 'diagnostic'])[1 + (random() * 3)::int],
           -- The work at hand is the same, however long the past.
           case when n > SIZE - 400 then (array['ouverte', 'affectee', 'en_cours', 'en_attente'])[1 + (random() * 3)::int]
                when n % 50 = 0 then 'annulee' when n > SIZE - 3000 then 'cloturee' else 'archivee' end,
           (array['urgente', 'haute', 'normale', 'basse', 'programmee'])[1 + (random() * 4)::int],
           random() < 0.1,
           to_timestamp(NOW) - (SIZE - n) * interval '3 minutes',
           to_timestamp(NOW) - (SIZE - n) * interval '3 minutes' + random() * interval '10 days',
           case when n <= SIZE - 400 then to_timestamp(NOW) - (SIZE - n) * interval '3 minutes' + interval '1 day' end,
           1 + (random() * 59)::int, 1 + (random() * (greatest(200, SIZE / 200) - 1))::int,
           (random() * 480)::int, (random() * 1000000)::int
    from generate_series(1, SIZE) n;
vacuum analyze interventions;
vacuum analyze equipements;
