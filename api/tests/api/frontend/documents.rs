//! The files of an intervention.
use erp_core::users::UserRole;
use erp_dev::samples;
use reqwest::multipart;
use serde_json::json;

use super::{NONE, Page, form, has};
use crate::support::App;

#[tokio::test]
async fn documents() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let (technicien, other) =
        (app.user(UserRole::Technicien).await, app.user(UserRole::Technicien).await);
    let client = json!({"nom_entreprise": "Conserverie de Safi"});
    let client = app.post(&boss, "/clients", client).await.expect(201)["id"].clone();
    let reader = app.user_with(UserRole::Client, json!({"client_id": client})).await;
    let id = app.intervention(&boss).await;
    let machine =
        app.get(&boss, &format!("/interventions/{id}")).await.expect(200)["equipement_id"].clone();
    app.put(&boss, &format!("/equipements/{machine}"), json!({"client_id": client}))
        .await
        .expect(200);
    let page = Page::of(&app, "documents");
    let upload = async |name: &str,
                        fields: &[(&'static str, &str)],
                        after: &[(&'static str, &str)]| {
        let file = multipart::Part::bytes(samples::png(64, 48, 1)).file_name(name.to_owned());
        let form = form(fields).part("file", file);
        let form = after.iter().fold(form, |form, (n, text)| form.text(*n, (*text).to_owned()));
        let query = format!("?intervention_id={id}");
        let request = page.request(Some(&technicien), ("POST", "/documents/upload"), &NONE, &query);
        app.send(request.multipart(form)).await
    };
    let plain = upload("a.png", &[], &[]).await.expect(201);
    assert_eq!((&plain["description"], &plain["mime"]), (&NONE, &json!("image/png")));
    let before = upload("b.png", &[("description", "Le joint, avant")], &[]).await.expect(201);
    let after = upload("c.png", &[], &[("description", "Le joint, après")]).await.expect(201);
    assert_eq!(before["description"], "Le joint, avant");
    assert_eq!(after["description"], "Le joint, après");
    assert_eq!(after["uploaded_by"]["id"], technicien.id);
    let long = "é".repeat(10_001);
    upload("d.png", &[], &[("description", &long)]).await.expect_error(422, "donnees_invalides");
    assert_eq!(app.stored_files().len(), 3, "what was refused has left nothing");

    // A technicien lists all documents, as all interventions.
    let list = page.get(&technicien, "/documents/", &NONE, "").await;
    assert_eq!((list.header("x-total-count"), &list.body[0]["id"]), ("3", &after["id"]));
    let row = &list.body[0];
    has(row, &["filename", "path", "url", "date_upload", "status", "mime", "description"]);
    assert_eq!(row["mime"], row["content_type"]);
    assert_eq!(row["uploaded_by"]["id"], technicien.id);
    assert!(row["uploaded_by"]["full_name"].as_str().unwrap().starts_with("Salma technicien"));
    page.get(&reader, "/documents/", &NONE, "").await.expect_error(403, "action_interdite");
    let seen = page.get(&reader, "/documents/{id}", &json!(id), "").await.expect(200);
    let by = &seen[0]["uploaded_by"];
    assert_eq!((&by["fonction"], by.get("id")), (&json!("technicien"), None), "of staff no more");

    // The uploader or a responsable may change its description.
    let path = format!("/documents/{}", after["id"]);
    let edit = |text: &str| json!({"description": text});
    app.put(&other, &path, edit("Autre")).await.expect_error(403, "document_d_un_autre");
    app.put(&reader, &path, edit("Autre")).await.expect_error(403, "action_interdite");
    let edited = app.put(&technicien, &path, edit("Garniture neuve")).await.expect(200);
    assert_eq!(edited["description"], "Garniture neuve");
    assert_eq!(
        app.put(&boss, &path, json!({})).await.expect(200)["description"],
        "Garniture neuve"
    );
    app.put(&boss, &path, json!({"description": 3})).await.expect_error(422, "donnees_invalides");
    let cleared = app.put(&boss, &path, json!({"description": null})).await.expect(200);
    assert_eq!(cleared["description"], NONE);
    app.put(&boss, "/documents/987654", edit("x")).await.expect_error(404, "document_introuvable");

    let gone =
        page.send(&boss, ("DELETE", "/documents/{id}"), &after["id"], "", NONE).await.expect(200);
    assert!(gone["detail"].is_string());
    page.ends_complete();
}
