//! The steps of an intervention, its history, and concurrent changes by two people.
use erp_core::users::UserRole;
use futures_util::{FutureExt, future::join_all};
use serde_json::{Value, json};

use crate::support::{App, User};

async fn history(app: &App, user: &User, id: i64) -> Vec<String> {
    let lines = app.get(user, &format!("/interventions/{id}/historique")).await.expect(200);
    let mut statuts: Vec<_> = lines
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l["statut"].as_str().unwrap().to_owned())
        .collect();
    statuts.reverse();
    statuts
}

#[tokio::test]
async fn an_intervention_goes_all_the_way_and_leaves_its_history() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let (technicien, technicien_id) = app.technicien().await;
    let id = app.intervention(&boss).await;
    let assign = format!("/interventions/{id}/affectation");
    let assigned =
        app.patch(&boss, &assign, json!({"technicien_id": technicien_id})).await.expect(200);
    assert_eq!(assigned["statut"], "affectee");
    assert!(assigned["date_affectation"].is_string());

    let started = app.step(&technicien, id, "en_cours").await.expect(200);
    app.step(&technicien, id, "en_attente").await.expect(200);
    let resumed = app.step(&technicien, id, "en_cours").await.expect(200);
    assert_eq!(
        started["date_debut_travaux"], resumed["date_debut_travaux"],
        "set the first time only"
    );
    let closed =
        app.step(&technicien, id, "cloturee&remarque=Garniture%20remplac%C3%A9e").await.expect(200);
    assert!(closed["date_cloture"].is_string() && closed["duree_reelle"] == 0, "{closed}");
    app.step(&boss, id, "archivee").await.expect(200);

    let path =
        ["ouverte", "affectee", "en_cours", "en_attente", "en_cours", "cloturee", "archivee"];
    assert_eq!(history(&app, &boss, id).await, path);
    let lines =
        app.get(&boss, &format!("/interventions/{id}/historique?limit=2")).await.expect(200);
    assert_eq!(lines[1]["remarque"], "Garniture remplacée");
    assert_eq!(lines[1]["user"]["id"], technicien.id);
}

#[tokio::test]
async fn what_the_rules_forbid_changes_nothing() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let id = app.intervention(&boss).await;
    app.step(&boss, id, "ouverte").await.expect_error(409, "transition_interdite");
    app.step(&boss, id, "en_attente").await.expect_error(409, "transition_interdite");
    app.step(&boss, id, "archivee").await.expect_error(409, "transition_interdite");
    app.step(&boss, id, "finie").await.expect_error(422, "donnees_invalides");
    app.step(&boss, 987_654, "en_cours").await.expect_error(404, "intervention_introuvable");
    app.step(&boss, id, "cloturee").await.expect(200);
    app.step(&boss, id, "cloturee").await.expect_error(409, "transition_interdite");
    for statut in ["ouverte", "affectee", "en_cours", "en_attente", "annulee"] {
        app.step(&boss, id, statut).await.expect_error(400, "intervention_terminee");
    }
    let path = format!("/interventions/{id}");
    app.put(&boss, &path, json!({"titre": "Autre"}))
        .await
        .expect_error(409, "intervention_terminee");
    assert_eq!(history(&app, &boss, id).await, ["ouverte", "cloturee"]);
}

#[tokio::test]
async fn a_technicien_moves_what_is_theirs_or_free_and_takes_up_what_is_free() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let ((mine, my_id), (other, _)) = (app.technicien().await, app.technicien().await);
    let id = app.intervention(&boss).await;
    let taken = app.step(&mine, id, "en_cours").await.expect(200);
    assert_eq!(taken["technicien_id"], my_id);
    app.step(&other, id, "cloturee").await.expect_error(403, "intervention_d_un_autre");
    app.step(&mine, id, "cloturee").await.expect(200);
}

#[tokio::test]
async fn an_edit_changes_what_it_names_and_writes_one_line() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let (_, technicien_id) = app.technicien().await;
    let id = app.intervention(&boss).await;
    let path = format!("/interventions/{id}");
    let edit = json!({
        "titre": "Fuite au presse-étoupe", "priorite": "urgente", "date_limite": "2026-01-01", "cout_pieces": 125_050,
        "technicien_id": technicien_id,
    });
    let edited = app.put(&boss, &path, edit).await.expect(200);
    assert_eq!((&edited["priorite"], &edited["en_retard"]), (&json!("urgente"), &json!(true)));
    assert_eq!(
        (&edited["statut"], &edited["technicien_id"]),
        (&json!("affectee"), &json!(technicien_id))
    );
    assert_eq!(history(&app, &boss, id).await, ["ouverte", "ouverte", "affectee"]);

    app.put(&boss, &path, json!({"titre": "Fuite au presse-étoupe"})).await.expect(200);
    assert_eq!(history(&app, &boss, id).await.len(), 3, "nothing changed, nothing to tell");
    app.put(&boss, &path, json!({"cout_pieces": -1, "titre": ""}))
        .await
        .expect_error(422, "donnees_invalides");
    app.put(&boss, &path, json!({"equipement_id": 987_654}))
        .await
        .expect_error(404, "equipement_introuvable");
    let freed = app.put(&boss, &path, json!({"technicien_id": null})).await.expect(200);
    assert_eq!((&freed["statut"], &freed["date_affectation"]), (&json!("ouverte"), &Value::Null));
}

#[tokio::test]
async fn a_technicien_who_leaves_gives_back_what_is_open_and_stays_on_what_is_done() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let (technicien, technicien_id) = app.technicien().await;
    let (open, done) = (app.intervention(&boss).await, app.intervention(&boss).await);
    for id in [open, done] {
        let path = format!("/interventions/{id}/affectation");
        app.patch(&boss, &path, json!({"technicien_id": technicien_id})).await.expect(200);
    }
    app.step(&technicien, done, "cloturee").await.expect(200);
    app.delete(&boss, &format!("/techniciens/{technicien_id}")).await.expect(204);
    let open = app.get(&boss, &format!("/interventions/{open}")).await.expect(200);
    assert_eq!((&open["statut"], &open["technicien_id"]), (&json!("ouverte"), &Value::Null));
    let done = app.get(&boss, &format!("/interventions/{done}")).await.expect(200);
    assert_eq!(done["technicien_id"], technicien_id);
}

#[tokio::test]
async fn a_client_sees_only_its_own() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let client_id = sqlx::query_scalar!(
        "insert into clients (nom_entreprise, date_creation) values ('OCP Jorf', now()) returning id"
    )
    .fetch_one(&app.ctx.pool)
    .await
    .unwrap();
    let client = app.user_with(UserRole::Client, json!({"client_id": client_id})).await;
    let stranger = app.user(UserRole::Client).await;
    let (own, foreign) = (app.intervention(&boss).await, app.intervention(&boss).await);
    let machine =
        app.get(&boss, &format!("/interventions/{own}")).await.expect(200)["equipement_id"].clone();
    app.put(&boss, &format!("/equipements/{machine}"), json!({"client_id": client_id}))
        .await
        .expect(200);

    app.get(&client, &format!("/interventions/{own}")).await.expect(200);
    for path in ["", "/historique"] {
        app.get(&client, &format!("/interventions/{foreign}{path}"))
            .await
            .expect_error(404, "intervention_introuvable");
        app.get(&stranger, &format!("/interventions/{own}{path}"))
            .await
            .expect_error(404, "intervention_introuvable");
    }
    app.get(&client, &format!("/documents/{own}")).await.expect(200);
    app.get(&client, &format!("/documents/{foreign}"))
        .await
        .expect_error(404, "intervention_introuvable");
    for list in ["/interventions", "/filters/interventions", "/equipements"] {
        assert_eq!(app.get(&client, list).await.header("x-total-count"), "1", "{list}");
        assert_eq!(app.get(&stranger, list).await.header("x-total-count"), "0", "{list}");
    }
}

#[tokio::test]
async fn filters_find_what_they_name() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let (_, technicien_id) = app.technicien().await;
    let equipement_id = app.equipement(&boss).await;
    let new = json!({
        "titre": "Roulement bruyant", "type": "diagnostic", "equipement_id": equipement_id, "priorite": "haute",
        "urgence": true, "date_limite": "2025-01-01T00:00:00Z", "technicien_id": technicien_id, "duree_estimee": 90,
    });
    app.post(&boss, "/interventions", new).await.expect(200);
    app.intervention(&boss).await;
    let day = chrono::Duration::days(1);
    let (yesterday, tomorrow) = (app.ctx.clock.now() - day, app.ctx.clock.now() + day);
    for (query, count) in [
        ("statut=affectee".to_owned(), "1"),
        ("urgence=true".to_owned(), "1"),
        ("type=diagnostic&priorite=haute".to_owned(), "1"),
        (format!("technicien_id={technicien_id}&equipement_id={equipement_id}"), "1"),
        ("en_retard=true".to_owned(), "1"),
        ("en_retard=false".to_owned(), "1"),
        ("q=BRUYANT".to_owned(), "1"),
        (format!("date_from={}", yesterday.format("%Y-%m-%d")), "2"),
        (format!("date_from={}", tomorrow.format("%Y-%m-%dT%H:%M:%SZ")), "0"),
        (format!("date_to={}", yesterday.format("%Y-%m-%d")), "0"),
        ("client_id=4".to_owned(), "0"),
        ("statut=".to_owned(), "2"),
    ] {
        let answer = app.get(&boss, &format!("/filters/interventions?{query}")).await;
        assert_eq!(answer.header("x-total-count"), count, "{query}: {}", answer.body);
    }
}

#[tokio::test]
async fn of_many_who_step_at_once_one_wins_and_history_is_a_straight_line() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    for _ in 0..20 {
        let id = app.intervention(&boss).await;
        for statut in ["en_cours", "en_attente", "en_cours", "cloturee"] {
            let answers = join_all((0..4).map(|_| app.step(&boss, id, statut))).await;
            let won = answers.iter().filter(|a| a.status == 200).count();
            assert_eq!(won, 1, "{statut}: {answers:?}");
            assert!(answers.iter().all(|a| a.status == 200 || a.status == 409));
        }
        assert_eq!(
            history(&app, &boss, id).await,
            ["ouverte", "en_cours", "en_attente", "en_cours", "cloturee"]
        );
    }
}

#[tokio::test]
async fn moves_assignments_and_edits_at_once_leave_as_many_lines_as_they_had_successes() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let ((_, first), (_, second)) = (app.technicien().await, app.technicien().await);
    let assign = async |id: i64, technicien_id: i64| {
        let body = json!({"technicien_id": technicien_id});
        app.patch(&boss, &format!("/interventions/{id}/affectation"), body).await
    };
    let edit = async |id: i64, titre: &str| {
        app.put(&boss, &format!("/interventions/{id}"), json!({"titre": titre})).await
    };
    for _ in 0..40 {
        let id = app.intervention(&boss).await;
        let answers = join_all([
            app.step(&boss, id, "cloturee").boxed_local(),
            app.step(&boss, id, "annulee").boxed_local(),
            app.step(&boss, id, "en_cours").boxed_local(),
            assign(id, first).boxed_local(),
            assign(id, second).boxed_local(),
            edit(id, "Fuite au joint").boxed_local(),
            edit(id, "Fuite au presse-étoupe").boxed_local(),
        ])
        .await;
        let over = answers[..2].iter().filter(|answer| answer.status == 200).count();
        assert_eq!(over, 1, "closed or cancelled, not both: {answers:?}");
        let refused = |status: u16| matches!(status, 400 | 409);
        assert!(
            answers.iter().all(|x| x.status == 200 || refused(x.status.as_u16())),
            "{answers:?}"
        );
        let done = answers.iter().filter(|answer| answer.status == 200).count();

        let lines = history(&app, &boss, id).await;
        assert_eq!(lines.len(), 1 + done, "a line for the creation and each success: {lines:?}");
        let end = app.get(&boss, &format!("/interventions/{id}")).await.expect(200);
        assert_eq!(lines.last().map(String::as_str), end["statut"].as_str(), "{lines:?}");
        let after_the_end = lines.iter().skip_while(|l| *l != "cloturee" && *l != "annulee");
        assert_eq!(after_the_end.count(), 1, "nothing happens to what is over: {lines:?}");
    }
}
