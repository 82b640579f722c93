//! Search, order and uniqueness of names by the rules of French.
use erp_core::users::UserRole;
use serde_json::{Value, json};

use crate::support::{App, User};

async fn machine(app: &App, boss: &User, nom: &str) -> i64 {
    let new = json!({"nom": nom, "type": "Pompe", "localisation": "Salé"});
    app.post(boss, "/equipements", new).await.expect(200)["id"].as_i64().unwrap()
}

fn texts(rows: &Value, field: &str) -> Vec<String> {
    rows.as_array().unwrap().iter().map(|row| row[field].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn words_are_found_in_any_order_without_regard_to_case_and_accents() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let id = machine(&app, &boss, "Extracteur de fumée n° 3").await;
    let new = json!({
        "titre": "Fumée à l’atelier", "description": "Œil-de-bœuf fêlé, 50%_a\\b", "type": "corrective", "equipement_id": id,
    });
    let titled = app.post(&boss, "/interventions", new).await.expect(200)["id"].clone();
    let new = json!({"titre": "Vidange", "type": "corrective", "equipement_id": id});
    app.post(&boss, "/interventions", new).await.expect(200);

    for (q, found) in [
        ("fumee", true),
        ("FUMÉE", true),
        ("Fumée", true),
        ("atelier fumee", true),
        ("fele   FUMEE", true),
        ("umé", true),
        ("oeil", true),
        ("œil", true),
        ("50%_a\\b", true),
        ("50%a", false),
        ("fum_e", false),
        ("fumee vidange", false),
        ("fe", true),
        ("ee", false), // one or two letters match only where a word begins
        ("%", false),
    ] {
        let query: String =
            form_urlencoded::Serializer::new(String::new()).append_pair("q", q).finish();
        let rows = app.get(&boss, &format!("/filters/interventions?{query}")).await.expect(200);
        let ids: Vec<_> = rows.as_array().unwrap().iter().map(|row| &row["id"]).collect();
        assert_eq!(ids, if found { vec![&titled] } else { vec![] }, "{q}");
    }
    // After an edit only the new words are found.
    app.put(&boss, &format!("/interventions/{titled}"), json!({"titre": "Étanchéité"}))
        .await
        .expect(200);
    for (q, count) in [("etancheite", "1"), ("fumee", "0"), ("fele", "1"), ("%20%20", "2")] {
        let answer = app.get(&boss, &format!("/interventions?q={q}")).await;
        assert_eq!(answer.header("x-total-count"), count, "{q}");
    }

    let new = json!({"nom_entreprise": "Société des Câbles", "ville": "Fès"});
    app.post(&boss, "/clients", new).await.expect(201);
    for (list, count) in [
        ("/equipements?q=SALE+fumee", "1"),
        ("/equipements?q=sale+vapeur", "0"),
        ("/clients?q=fes+cables", "1"),
        ("/clients?ville=fes", "1"),
        ("/clients?ville=rabat", "0"),
    ] {
        assert_eq!(app.get(&boss, list).await.header("x-total-count"), count, "{list}");
    }
}

#[tokio::test]
async fn what_is_found_is_counted_up_to_a_thousand() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let id = machine(&app, &boss, "Pompe").await;
    sqlx::query!(
        "insert into interventions (titre, type, statut, priorite, urgence, date_creation, equipement_id)
         select 'Fuite', 'corrective', 'ouverte', 'normale', false, now(), $1 from generate_series(1, 1001)",
        id,
    )
    .execute(&app.ctx.pool)
    .await
    .unwrap();
    let all = app.get(&boss, "/interventions?limit=2").await;
    assert_eq!(all.header("x-total-count"), "1001");
    let found = app.get(&boss, "/interventions?limit=2&q=fuite").await;
    assert_eq!(found.header("x-total-count"), "1000");
    assert_eq!(found.header("x-total-count-exact"), "false");
    assert!(found.header("link").contains("rel=\"next\""), "{}", found.header("link"));
}

#[tokio::test]
async fn names_and_titles_sort_as_in_a_french_dictionary() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let noms = ["Zinguerie", "fuite", "Écluse", "eau", "Étau", "Fuseau", "École"];
    let sorted = ["eau", "Écluse", "École", "Étau", "fuite", "Fuseau", "Zinguerie"];
    for nom in noms {
        let id = machine(&app, &boss, nom).await;
        let new = json!({"titre": nom, "type": "corrective", "equipement_id": id});
        app.post(&boss, "/interventions", new).await.expect(200);
    }
    for (list, field) in [("/equipements?sort=nom", "nom"), ("/interventions?sort=titre", "titre")]
    {
        let rows = app.get(&boss, list).await.expect(200);
        assert_eq!(texts(&rows, field), sorted, "{list}");
        let rows = app.get(&boss, &list.replace("sort=", "sort=-")).await.expect(200);
        assert!(texts(&rows, field).iter().rev().eq(&sorted), "{list}, the other way");
    }
}

#[tokio::test]
async fn what_a_person_would_call_the_same_name_is_taken() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let id = machine(&app, &boss, "Échangeur à plaques").await;
    let other = machine(&app, &boss, "Échangeur tubulaire").await;
    for nom in ["échangeur à plaques", "ECHANGEUR A PLAQUES", "Echangeur à plaques"] {
        let new = json!({"nom": nom, "type": "Pompe", "localisation": "Salé"});
        app.post(&boss, "/equipements", new).await.expect_error(400, "equipement_existe");
        app.put(&boss, &format!("/equipements/{other}"), json!({"nom": nom}))
            .await
            .expect_error(400, "equipement_existe");
    }
    // A machine may change the case and accents of its own name.
    app.put(&boss, &format!("/equipements/{id}"), json!({"nom": "Echangeur à Plaques"}))
        .await
        .expect(200);
    app.post(&boss, "/techniciens/competences", json!({"nom": "Électricité"})).await.expect(200);
    app.post(&boss, "/techniciens/competences", json!({"nom": "electricite"}))
        .await
        .expect_error(400, "competence_existe");
}
