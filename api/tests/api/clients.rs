//! Clients, from their creation to their removal.
use erp_core::users::UserRole;
use reqwest::Method;
use serde_json::json;

use crate::support::App;

const ICE: &str = "001234567000089";

#[tokio::test]
async fn a_client_is_recorded_edited_found_and_removed() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let new = json!({
        "nom_entreprise": " Cimenterie de l'Atlas ", "ice": "001 234 567 000 089", "email": "contact@atlas.example",
        "telephone": "+212 522 12 34 56", "adresse": "Km 12, route d'El Jadida", "ville": "Casablanca",
        "niveau_service": "premium", "inconnu": 1,
    });
    let made = app.post(&boss, "/clients", new).await.expect(201);
    assert_eq!(
        (&made["nom_entreprise"], &made["type_client"], &made["ice"], &made["is_active"]),
        (&json!("Cimenterie de l'Atlas"), &json!("entreprise"), &json!(ICE), &json!(true))
    );
    assert!(made["date_creation"].as_str().unwrap().ends_with('Z'), "{made}");
    let small =
        app.post(&boss, "/clients", json!({"nom_entreprise": "Riad Nour"})).await.expect(201);
    assert_eq!(
        (&small["ice"], &small["email"], &small["niveau_service"]),
        (&json!(null), &json!(null), &json!("standard"))
    );

    let path = format!("/clients/{}", made["id"]);
    let edit =
        json!({"ville": "Settat", "telephone": null, "niveau_service": null, "is_active": false});
    let edited = app.put(&boss, &path, edit).await.expect(200);
    assert_eq!(
        (&edited["ville"], &edited["telephone"], &edited["niveau_service"], &edited["is_active"]),
        (&json!("Settat"), &json!(null), &json!("premium"), &json!(false))
    );
    assert_eq!((&edited["ice"], &edited["date_creation"]), (&made["ice"], &made["date_creation"]));
    assert_eq!(app.get(&boss, &path).await.expect(200), edited);

    for (query, total) in [
        ("", "2"),
        ("?q=ATLAS", "1"),
        ("?q=0012345", "1"),
        ("?q=%25", "0"),
        ("?ville=settat", "1"),
        ("?niveau_service=standard&type_client=entreprise", "1"),
        ("?is_active=true", "1"),
        ("?niveau_service=premium&is_active=true", "0"),
    ] {
        let answer = app.get(&boss, &format!("/clients{query}")).await;
        assert_eq!(answer.header("x-total-count"), total, "{query}: {}", answer.body);
    }
    let sorted = app.get(&boss, "/clients?sort=-nom_entreprise").await.expect(200);
    assert_eq!(sorted[0]["id"], small["id"]);

    app.delete(&boss, &path).await.expect(204);
    app.delete(&boss, &path).await.expect_error(404, "client_introuvable");
    app.get(&boss, &path).await.expect_error(404, "client_introuvable");
    app.put(&boss, &path, json!({"ville": "Safi"})).await.expect_error(404, "client_introuvable");
}

#[tokio::test]
async fn an_ice_belongs_to_one_client() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    let new = |nom: &str, ice: &str| json!({"nom_entreprise": nom, "ice": ice});
    app.post(&admin, "/clients", new("Atlas", ICE)).await.expect(201);
    app.post(&admin, "/clients", new("Atlas bis", ICE)).await.expect_error(409, "ice_deja_utilise");
    let other = app.post(&admin, "/clients", new("Rif", "001234567000090")).await.expect(201);
    let path = format!("/clients/{}", other["id"]);
    app.put(&admin, &path, json!({"ice": ICE})).await.expect_error(409, "ice_deja_utilise");
    app.put(&admin, &path, json!({"ice": "001234567000090"})).await.expect(200);
}

#[tokio::test]
async fn all_that_is_wrong_with_a_client_is_said_at_once() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let bad = json!({
        "type_client": "sarl", "ice": "123", "email": "contact(at)atlas", "telephone": "appelez-nous",
        "niveau_service": "or", "is_active": "peut-être",
    });
    let answer = app.post(&boss, "/clients", bad).await;
    let faults: Vec<_> = answer.body["detail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fault| fault["loc"][1].as_str().unwrap().to_owned())
        .collect();
    answer.expect_error(422, "donnees_invalides");
    let names = [
        "nom_entreprise",
        "type_client",
        "ice",
        "email",
        "telephone",
        "niveau_service",
        "is_active",
    ];
    assert_eq!(faults, names);
}

#[tokio::test]
async fn a_client_stays_while_equipment_or_users_refer_to_it() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let made =
        app.post(&boss, "/clients", json!({"nom_entreprise": "Port de Safi"})).await.expect(201);
    let path = format!("/clients/{}", made["id"]);

    let machine = format!("/equipements/{}", app.equipement(&boss).await);
    app.put(&boss, &machine, json!({"client_id": made["id"]})).await.expect(200);
    app.delete(&boss, &path).await.expect_error(409, "client_utilise");
    app.put(&boss, &machine, json!({"client_id": null})).await.expect(200);

    let reader = app.user_with(UserRole::Client, json!({"client_id": made["id"]})).await;
    app.delete(&boss, &path).await.expect_error(409, "client_utilise");
    app.call(&reader, Method::GET, &path, None).await.expect_error(403, "action_interdite");
    app.get(&boss, &path).await.expect(200);
}
