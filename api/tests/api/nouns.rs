//! Users, techniciens, equipment and notifications, each from creation to removal.
use erp_core::users::UserRole;
use serde_json::{Value, json};

use crate::support::{App, PASSWORD};

#[tokio::test]
async fn an_admin_keeps_the_accounts() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    let new = json!({
        "username": "kbennis", "full_name": "Karim Bennis", "email": "K.Bennis@mif.example", "role": "technicien",
        "password": PASSWORD, "inconnu": 1,
    });
    let user = app.post(&admin, "/users", new.clone()).await.expect(201);
    assert_eq!(
        (&user["is_active"], &user["email"]),
        (&json!(true), &json!("K.Bennis@mif.example"))
    );
    let mut same_email = new.clone();
    same_email["username"] = json!("autre");
    same_email["email"] = json!("k.bennis@MIF.example");
    app.post(&admin, "/users", same_email).await.expect_error(409, "email_deja_utilise");
    let mut same_name = new.clone();
    same_name["email"] = json!("autre@mif.example");
    same_name["username"] = json!("KBENNIS");
    app.post(&admin, "/users", same_name).await.expect_error(409, "nom_utilisateur_deja_utilise");
    let mut weak = new;
    weak["password"] = json!("kbennis1");
    app.post(&admin, "/users", weak).await.expect_error(422, "donnees_invalides");

    app.delete(&admin, &format!("/users/{}", admin.id))
        .await
        .expect_error(409, "desactivation_de_soi");
    app.delete(&admin, &format!("/users/{}", user["id"])).await.expect(204);
    let shown = app.get(&admin, &format!("/users/{}", user["id"])).await.expect(200);
    assert_eq!(shown["is_active"], false);
    assert_eq!(app.get(&admin, "/users").await.header("x-total-count"), "2");
}

#[tokio::test]
async fn everyone_keeps_their_own_name_and_password() {
    let app = App::new().await;
    let user = app.user(UserRole::Client).await;
    let renamed =
        app.put(&user, "/users/update", json!({"full_name": " Nadia El Fassi "})).await.expect(200);
    assert_eq!(renamed["full_name"], "Nadia El Fassi");
    let update = async |body: Value| app.put(&user, "/users/update", body).await;
    let new = "une autre phrase de passe";
    let missing = update(json!({"password": new})).await.expect(422);
    assert_eq!(missing["detail"][0]["loc"], json!(["body", "current_password"]));
    let wrong =
        update(json!({"password": new, "current_password": "pas le bon"})).await.expect(422);
    assert_eq!(wrong["detail"][0]["loc"], json!(["body", "current_password"]));
    update(json!({"password": user.username, "current_password": PASSWORD}))
        .await
        .expect_error(422, "donnees_invalides");
    app.get(&user, "/users/me").await.expect(200);
    update(json!({"password": new, "current_password": PASSWORD})).await.expect(200);
    app.get(&user, "/users/me").await.expect_error(401, "session_terminee");
}

#[tokio::test]
async fn a_machine_has_a_unique_name_and_stays_while_interventions_need_it() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let new = json!({
        "nom": "Compresseur A12", "type": "Compresseur", "localisation": "Tanger Med", "frequence_entretien": 30,
        "criticite": "critique", "date_acquisition": "2024-03-01",
    });
    let made = app.post(&boss, "/equipements", new.clone()).await.expect(200);
    assert_eq!(
        (&made["frequence_entretien"], &made["statut"]),
        (&json!("30"), &json!("operationnel"))
    );
    assert_eq!(made["date_acquisition"], "2024-03-01T00:00:00Z");
    app.post(&boss, "/equipements", new).await.expect_error(400, "equipement_existe");

    let path = format!("/equipements/{}", made["id"]);
    let edited = app
        .put(&boss, &path, json!({"statut": "panne", "criticite": null, "date_acquisition": null}))
        .await
        .expect(200);
    assert_eq!(
        (&edited["statut"], &edited["criticite"], &edited["date_acquisition"], &edited["nom"]),
        (&json!("panne"), &json!("critique"), &json!(null), &json!("Compresseur A12"))
    );
    for (label, days) in [
        ("hebdomadaire", "7"),
        ("Bimensuelle", "15"),
        ("MENSUEL", "30"),
        ("trimestrielle", "90"),
        ("semestriel", "180"),
        ("annuelle", "365"),
        ("45", "45"),
    ] {
        let edited = app.put(&boss, &path, json!({"frequence_entretien": label})).await.expect(200);
        assert_eq!(edited["frequence_entretien"], days, "{label}");
    }
    app.put(&boss, &path, json!({"frequence_entretien": "parfois"}))
        .await
        .expect_error(422, "donnees_invalides");
    app.put(&boss, &path, json!({"client_id": 99})).await.expect_error(404, "client_introuvable");
    let found = app.get(&boss, "/equipements?q=presseur%20A1&statut=panne").await.expect(200);
    assert_eq!(found.as_array().unwrap().len(), 1);
    let none = app.get(&boss, "/equipements?q=%25").await.expect(200);
    assert_eq!(none.as_array().unwrap().len(), 0, "a percent sign is only itself");

    let titre = json!({"titre": "Vidange", "type": "preventive", "equipement_id": made["id"]});
    app.post(&boss, "/interventions", titre).await.expect(200);
    app.delete(&boss, &path).await.expect_error(409, "equipement_utilise");
    let other = app.equipement(&boss).await;
    app.delete(&boss, &format!("/equipements/{other}")).await.expect(200);
    app.get(&boss, &format!("/equipements/{other}"))
        .await
        .expect_error(404, "equipement_introuvable");
}

#[tokio::test]
async fn a_technicien_is_made_of_a_user_with_skills() {
    let app = App::new().await;
    let (boss, client) = (app.user(UserRole::Responsable).await, app.user(UserRole::Client).await);
    let user = app.user(UserRole::Technicien).await;
    let skill = app
        .post(&boss, "/techniciens/competences", json!({"nom": "Hydraulique"}))
        .await
        .expect(200);
    app.post(&boss, "/techniciens/competences", json!({"nom": "hydraulique"}))
        .await
        .expect_error(400, "competence_existe");

    let new = |user_id: i64, skill: i64| json!({"user_id": user_id, "equipe": "Nord", "disponibilite": "CONGE", "competences_ids": [skill]});
    let id = skill["id"].as_i64().unwrap();
    app.post(&boss, "/techniciens", new(987_654, id))
        .await
        .expect_error(404, "utilisateur_introuvable");
    app.post(&boss, "/techniciens", new(client.id, id))
        .await
        .expect_error(400, "role_incompatible");
    app.post(&boss, "/techniciens", new(user.id, 987_654))
        .await
        .expect_error(404, "competence_introuvable");
    let made = app.post(&boss, "/techniciens", new(user.id, id)).await.expect(200);
    assert_eq!((&made["disponibilite"], &made["competences"]), (&json!("conge"), &json!([skill])));
    assert_eq!(made["user"]["username"], user.username.as_str());
    app.post(&boss, "/techniciens", new(user.id, id)).await.expect_error(409, "technicien_existe");

    let path = format!("/techniciens/{}", made["id"]);
    let edited = app
        .put(&boss, &path, json!({"disponibilite": null, "competences_ids": []}))
        .await
        .expect(200);
    assert_eq!(
        (&edited["disponibilite"], &edited["equipe"], &edited["competences"]),
        (&json!("disponible"), &json!("Nord"), &json!([]))
    );
    app.delete(&boss, &path).await.expect(204);
    app.get(&boss, &path).await.expect_error(404, "technicien_introuvable");
    app.post(&boss, "/techniciens", new(user.id, id)).await.expect(200);
}

#[tokio::test]
async fn a_notification_belongs_to_its_reader() {
    let app = App::new().await;
    let (boss, admin) = (app.user(UserRole::Responsable).await, app.user(UserRole::Admin).await);
    let (reader, other) =
        (app.user(UserRole::Technicien).await, app.user(UserRole::Technicien).await);
    let intervention = app.intervention(&boss).await;
    let new = |user_id: i64, intervention_id: i64| json!({"type": "mise_a_jour", "canal": "log", "contenu": "Pièce reçue", "intervention_id": intervention_id, "user_id": user_id});
    app.post(&boss, "/notifications", new(987_654, intervention))
        .await
        .expect_error(404, "utilisateur_introuvable");
    app.post(&boss, "/notifications", new(reader.id, 987_654))
        .await
        .expect_error(404, "intervention_introuvable");
    let made = app.post(&boss, "/notifications", new(reader.id, intervention)).await.expect(201);
    assert_eq!(
        (&made["type"], &made["statut"], &made["read"]),
        (&json!("information"), &json!("envoyee"), &json!(false))
    );
    assert!(app.jobs().await.is_empty(), "a line in the journal needs no job");

    let read = format!("/notifications/{}/read", made["id"]);
    app.put(&other, &read, json!({})).await.expect_error(404, "notification_introuvable");
    assert_eq!(
        app.get(&reader, "/notifications/user/me?unread=true").await.header("x-total-count"),
        "1"
    );
    app.put(&reader, &read, json!({})).await.expect(200);
    assert_eq!(
        app.get(&reader, "/notifications/user/me?unread=true").await.header("x-total-count"),
        "0"
    );
    assert_eq!(
        app.get(&admin, &format!("/notifications/user/{}", reader.id))
            .await
            .header("x-total-count"),
        "1"
    );
    app.delete(&admin, &format!("/notifications/{}", made["id"])).await.expect(200);
    assert_eq!(app.get(&boss, "/notifications").await.header("x-total-count"), "0");
}
