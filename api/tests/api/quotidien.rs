//! Daily work: the report of a technicien, the history of a machine, the workload of a technicien, and suggestions of whom to send.
use erp_core::{Clock, users::UserRole};
use erp_dev::samples;
use serde_json::{Value, json};

use crate::support::{App, User};

/// A new intervention, assigned to the technicien; its id.
async fn assigned(app: &App, boss: &User, technicien_id: i64) -> i64 {
    let id = app.intervention(boss).await;
    let to = json!({"technicien_id": technicien_id});
    app.patch(boss, &format!("/interventions/{id}/affectation"), to).await.expect(200);
    id
}

async fn remarks(app: &App, user: &User, id: i64) -> Vec<(String, String)> {
    let lines = app.get(user, &format!("/interventions/{id}/historique?sort=id")).await.expect(200);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let lines = lines.as_array().unwrap().iter();
    lines.map(|line| (text(&line["statut"]), text(&line["remarque"]))).collect()
}

#[tokio::test]
async fn a_technicien_writes_the_report_and_closes_with_it() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let (technicien, technicien_id) = app.technicien().await;
    let id = assigned(&app, &boss, technicien_id).await;
    let path = format!("/interventions/{id}/compte-rendu");
    let report = json!({
        "rapport_intervention": "Garniture usée", "travaux_realises": "Garniture remplacée", "recommandations": "Revoir l'alignement",
        "duree_reelle": 75, "temps_deplacement": 40, "cout_pieces": 45_000, "cout_main_oeuvre": 30_000, "satisfaction": 4,
    });
    app.put(&technicien, &path, report.clone())
        .await
        .expect_error(409, "intervention_non_commencee");
    app.step(&technicien, id, "en_cours").await.expect(200);
    let told = app.put(&technicien, &path, report.clone()).await.expect(200);
    for (field, value) in report.as_object().unwrap() {
        assert_eq!(&told[field], value, "{field}");
    }
    assert_eq!((&told["statut"], &told["cout_reel_mad"]), (&json!("en_cours"), &json!("750.00")));
    let lines = remarks(&app, &boss, id).await;
    assert_eq!(lines.last().unwrap(), &("en_cours".to_owned(), "Compte rendu".to_owned()));

    // A repeat, as by a phone that got no response, adds no line.
    app.put(&technicien, &path, report).await.expect(200);
    assert_eq!(remarks(&app, &boss, id).await, lines);

    let end = json!({"recommandations": null, "statut": "cloturee"});
    let closed = app.put(&technicien, &path, end).await.expect(200);
    assert_eq!((&closed["statut"], &closed["recommandations"]), (&json!("cloturee"), &Value::Null));
    assert_eq!(
        (&closed["duree_reelle"], &closed["travaux_realises"]),
        (&json!(75), &json!("Garniture remplacée"))
    );
    assert!(closed["date_cloture"].is_string());
    let lines = remarks(&app, &boss, id).await;
    assert_eq!(lines.last().unwrap().1, "Clôturée avec le compte rendu");
    app.run_jobs().await;
    assert!(app.told(&boss).await.contains(&"cloture".to_owned()), "who opened it was told");

    // Until it is archived, the report can be completed.
    app.put(&technicien, &path, json!({"satisfaction": 5})).await.expect(200);
    // A full repeat, as by a phone that got no response, is accepted; a different report cannot close it a second time.
    let lines = remarks(&app, &boss, id).await;
    let again = json!({"satisfaction": 5, "recommandations": null, "statut": "cloturee"});
    assert_eq!(app.put(&technicien, &path, again).await.expect(200)["statut"], "cloturee");
    assert_eq!(remarks(&app, &boss, id).await, lines);
    let twice = json!({"satisfaction": 1, "statut": "cloturee"});
    app.put(&technicien, &path, twice).await.expect_error(409, "transition_interdite");
    let after = app.get(&boss, &format!("/interventions/{id}")).await.expect(200);
    assert_eq!(after["satisfaction"], 5, "what is refused changes nothing");
    app.step(&boss, id, "archivee").await.expect(200);
    app.put(&boss, &path, json!({"satisfaction": 3}))
        .await
        .expect_error(409, "intervention_terminee");
}

#[tokio::test]
async fn a_report_is_written_by_whose_it_is_and_is_what_it_should_be() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let ((mine, my_id), (other, _)) = (app.technicien().await, app.technicien().await);
    let id = assigned(&app, &boss, my_id).await;
    let path = format!("/interventions/{id}/compte-rendu");
    app.step(&mine, id, "en_cours").await.expect(200);
    let said = json!({"rapport_intervention": "Fait"});
    app.put(&other, &path, said.clone()).await.expect_error(403, "intervention_d_un_autre");
    let newcomer = app.user(UserRole::Technicien).await;
    app.put(&newcomer, &path, said.clone()).await.expect_error(403, "technicien_sans_fiche");
    let client = app.user(UserRole::Client).await;
    app.put(&client, &path, said.clone()).await.expect_error(403, "action_interdite");
    let nobodys = app.intervention(&boss).await;
    let free = format!("/interventions/{nobodys}/compte-rendu");
    app.put(&mine, &free, said.clone()).await.expect_error(403, "intervention_sans_technicien");
    app.put(&boss, "/interventions/987654/compte-rendu", said.clone())
        .await
        .expect_error(404, "intervention_introuvable");
    app.put(&boss, &path, said).await.expect(200);

    let wrong = json!({
        "satisfaction": 6, "duree_reelle": -1, "temps_deplacement": "40", "cout_pieces": 1.5, "rapport_intervention": 3,
        "statut": "annulee",
    });
    let faults = app.put(&mine, &path, wrong).await.expect(422);
    let mut named: Vec<_> = faults["detail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|f| f["loc"][1].as_str().unwrap())
        .collect();
    named.sort_unstable();
    let all = [
        "cout_pieces",
        "duree_reelle",
        "rapport_intervention",
        "satisfaction",
        "statut",
        "temps_deplacement",
    ];
    assert_eq!(named, all);
    // A quick repair is reported and closed in one request.
    let closed =
        app.put(&boss, &free, json!({"cout_pieces": 900, "statut": "cloturee"})).await.expect(200);
    assert_eq!((&closed["statut"], &closed["cout_reel"]), (&json!("cloturee"), &json!(900)));
    let cancelled = app.intervention(&boss).await;
    app.step(&boss, cancelled, "annulee").await.expect(200);
    app.put(&boss, &format!("/interventions/{cancelled}/compte-rendu"), json!({"satisfaction": 1}))
        .await
        .expect_error(409, "intervention_terminee");
}

#[tokio::test]
async fn the_past_of_a_machine_is_told_to_those_who_may_see_it() {
    let app = App::at(Clock::stopped_at("2026-12-30T10:00:00Z".parse().unwrap()), &[]).await;
    app.leaves_jobs();
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    let client =
        app.post(&boss, "/clients", json!({"nom_entreprise": "Conserverie"})).await.expect(201);
    let reader = app.user_with(UserRole::Client, json!({"client_id": client["id"]})).await;
    let stranger = app.user(UserRole::Client).await;
    let machine =
        json!({"nom": "Pompe", "type": "Pompe", "localisation": "Safi", "client_id": client["id"]});
    let machine = app.post(&boss, "/equipements", machine).await.expect(200)["id"].clone();
    let new = json!({"titre": "Fuite", "type": "corrective", "equipement_id": machine});
    let mut ids = Vec::new();
    for pieces in [10_000, 2_550] {
        let made = app.post(&boss, "/interventions", new.clone()).await.expect(200);
        let path = format!("/interventions/{}/compte-rendu", made["id"]);
        let report =
            json!({"cout_pieces": pieces, "cout_main_oeuvre": 1_000, "statut": "cloturee"});
        app.put(&boss, &path, report).await.expect(200);
        ids.push(made["id"].as_i64().unwrap());
        app.set_clock("2027-01-05T10:00:00Z");
    }
    let plan =
        json!({"frequence": "mensuel", "equipement_id": machine, "prochaine_date": "2027-01-04"});
    app.post(&boss, "/planning", plan).await.expect(201);
    app.run_schedule(&admin, "planning.generate").await;
    // Created now, so that the session starts on the new date.
    let other = app.user(UserRole::Responsable).await;
    let photo = app.upload(&other, ids[0], "a.png", samples::png(64, 48, 1)).await.expect(201);
    app.intervention(&boss).await;

    let path = format!("/equipements/{machine}/historique");
    let past = app.get(&boss, &path).await.expect(200);
    assert_eq!(past["equipement"]["id"], machine);
    assert_eq!(past["totaux"], json!({"interventions": 2, "visites": 1, "documents": 1}));
    assert_eq!(past["interventions"][0]["id"], ids[1], "the newest first");
    assert_eq!(past["visites"][0]["type"], "preventive");
    assert_eq!(past["documents"][0]["id"], photo["id"]);
    let cost = |row: &Value| {
        (row["annee"].clone(), row["interventions"].clone(), row["cout_reel_mad"].clone())
    };
    let costs: Vec<_> = past["couts"].as_array().unwrap().iter().map(cost).collect();
    assert_eq!(
        costs,
        [(json!(2027), json!(2), json!("35.50")), (json!(2026), json!(1), json!("110.00")),]
    );
    let short = app.get(&boss, &format!("{path}?limit=1")).await.expect(200);
    assert_eq!(short["interventions"].as_array().unwrap().len(), 1);
    assert_eq!(short["totaux"], past["totaux"]);
    app.get(&boss, &format!("{path}?limit=201")).await.expect_error(422, "donnees_invalides");

    let seen = app.get(&reader, &path).await.expect(200);
    assert_eq!(seen["documents"][0]["uploaded_by"]["fonction"], "responsable");
    assert!(!seen.to_string().contains(&other.email));
    app.get(&stranger, &path).await.expect_error(404, "equipement_introuvable");
    app.get(&boss, "/equipements/987654/historique")
        .await
        .expect_error(404, "equipement_introuvable");
}

#[tokio::test]
async fn how_much_a_technicien_has_to_do_has_a_word() {
    // A Wednesday.
    let app = App::at(Clock::stopped_at("2026-12-02T10:00:00Z".parse().unwrap()), &[]).await;
    let boss = app.user(UserRole::Responsable).await;
    let (technicien, technicien_id) = app.technicien().await;
    let path = format!("/techniciens/{technicien_id}/charge");
    let charge = async || app.get(&technicien, &path).await.expect(200);
    let nothing = json!({
        "technicien_id": technicien_id, "ouvertes": 0, "cette_semaine": 0, "en_retard": 0, "label": "Libre",
    });
    assert_eq!(charge().await, nothing);
    let equipement_id = app.equipement(&boss).await;
    let mut last = Value::Null;
    for (limite, label) in [
        ("2026-12-06T22:00:00Z", "Normale"), // Sunday
        ("2026-12-07T00:30:00Z", "Normale"), // the next Monday
        ("2026-12-01T08:00:00Z", "Élevée"),  // yesterday
        ("2026-11-29T22:00:00Z", "Élevée"),  // the Sunday before
        ("2027-02-01T00:00:00Z", "Surchargé"),
    ] {
        let new = json!({
            "titre": "Fuite", "type": "corrective", "equipement_id": equipement_id, "technicien_id": technicien_id,
            "date_limite": limite,
        });
        last = app.post(&boss, "/interventions", new).await.expect(200);
        assert_eq!(charge().await["label"], label, "{limite}");
    }
    let full = charge().await;
    assert_eq!(
        (&full["ouvertes"], &full["cette_semaine"], &full["en_retard"]),
        (&json!(5), &json!(2), &json!(2))
    );
    app.step(&boss, last["id"].as_i64().unwrap(), "annulee").await.expect(200);
    assert_eq!(charge().await["label"], "Élevée", "what is over is no load");
    app.get(&boss, "/techniciens/987654/charge").await.expect_error(404, "technicien_introuvable");
    let client = app.user(UserRole::Client).await;
    app.get(&client, &path).await.expect_error(403, "action_interdite");
}

#[tokio::test]
async fn those_who_can_and_have_time_are_suggested_first() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let mut skills = Vec::new();
    for nom in ["Hydraulique", "Électricité", "Soudure TIG"] {
        let skill =
            app.post(&boss, "/techniciens/competences", json!({"nom": nom})).await.expect(200);
        skills.push(skill["id"].clone());
    }
    let mut ids = Vec::new();
    for (disponibilite, competences, open) in [
        ("disponible", vec![], 0),
        ("disponible", vec![skills[0].clone(), skills[1].clone()], 0),
        ("occupe", vec![skills[0].clone()], 1),
        ("conge", vec![], 2),
        ("disponible", vec![], 1),
    ] {
        let (_, id) = app.technicien().await;
        let edit = json!({"disponibilite": disponibilite, "competences_ids": competences});
        app.put(&boss, &format!("/techniciens/{id}"), edit).await.expect(200);
        for _ in 0..open {
            assigned(&app, &boss, id).await;
        }
        ids.push(id);
    }
    // Neither a deleted technicien nor one whose account is disabled is suggested.
    let (_, gone) = app.technicien().await;
    app.delete(&boss, &format!("/techniciens/{gone}")).await.expect(204);
    let (disabled, _) = app.technicien().await;
    let admin = app.user(UserRole::Admin).await;
    app.delete(&admin, &format!("/users/{}", disabled.id)).await.expect(204);

    let new = json!({
        "titre": "Panne ÉLECTRICITE du groupe hydraulique", "type": "corrective", "equipement_id": app.equipement(&boss).await,
    });
    let id = app.post(&boss, "/interventions", new).await.expect(200)["id"].as_i64().unwrap();
    let path = format!("/interventions/{id}/suggestions");
    let ranks = |list: &Value| -> Vec<(i64, i64)> {
        let rows = list.as_array().unwrap().iter();
        rows.map(|row| (row["technicien"]["id"].as_i64().unwrap(), row["score"].as_i64().unwrap()))
            .collect()
    };
    let list = app.get(&boss, &path).await.expect(200);
    let expected = [(ids[1], 90), (ids[0], 80), (ids[4], 80), (ids[2], 70), (ids[3], 30)];
    assert_eq!(ranks(&list), expected);
    assert_eq!(list[0]["competences"], json!(["Électricité", "Hydraulique"]));
    assert!(list[0]["technicien"]["full_name"].is_string());
    assert_eq!((&list[3]["ouvertes"], &list[3]["disponibilite"]), (&json!(1), &json!("occupe")));

    let named =
        app.get(&boss, &format!("{path}?competences_ids={}&limit=2", skills[2])).await.expect(200);
    assert_eq!(ranks(&named), [(ids[0], 80), (ids[1], 80)]);
    app.get(&boss, &format!("{path}?limit=0&competences_ids=x"))
        .await
        .expect_error(422, "donnees_invalides");
    app.get(&boss, "/interventions/987654/suggestions")
        .await
        .expect_error(404, "intervention_introuvable");
    let (technicien, _) = app.technicien().await;
    app.get(&technicien, &path).await.expect_error(403, "action_interdite");
}
