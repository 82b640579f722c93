//! Lots: files that are uploaded one by one and belong together.
use erp_core::users::UserRole;
use erp_dev::samples;
use reqwest::{Method, multipart};
use serde_json::{Value, json};

use crate::support::{Answer, App, User};

impl App {
    async fn open_lot(&self, user: &User, intervention: i64) -> Value {
        let path = format!("/interventions/{intervention}/lots");
        self.call(user, Method::POST, &path, None).await.expect(201)
    }

    async fn add(&self, user: &User, lot: &Value, name: &str, bytes: Vec<u8>) -> Answer {
        let file = multipart::Part::bytes(bytes).file_name(name.to_owned());
        let form = multipart::Form::new().part("file", file);
        let path = format!(
            "/api/v1/documents/upload?intervention_id={}&lot={}",
            lot["intervention_id"], lot["id"]
        );
        self.send(self.request(Method::POST, &path).bearer_auth(&user.token).multipart(form)).await
    }

    async fn close_lot(&self, user: &User, lot: &Value) -> Answer {
        self.call(user, Method::POST, &format!("/lots/{}/fin", lot["id"]), None).await
    }

    async fn lot(&self, user: &User, lot: &Value) -> Value {
        self.get(user, &format!("/lots/{}", lot["id"])).await.expect(200)
    }

    async fn heard(&self, user: &User) -> Vec<Value> {
        let list = self.get(user, "/notifications/user/me?sort=id").await.expect(200);
        list.as_array().unwrap().iter().map(|n| n["contenu"].clone()).collect()
    }
}

async fn on_site(app: &App) -> (User, User, i64) {
    let boss = app.user(UserRole::Responsable).await;
    let intervention = app.intervention(&boss).await;
    (app.user(UserRole::Technicien).await, boss, intervention)
}

fn photo() -> Vec<u8> {
    samples::jpeg_with_gps(64, 48, 1)
}

/// A photo of which only the first 200 bytes are there.
fn broken_photo() -> Vec<u8> {
    photo()[..200].to_vec()
}

#[tokio::test]
async fn forty_photos_of_one_visit_are_told_of_once() {
    let app = App::new().await;
    let (technicien, boss, intervention) = on_site(&app).await;
    let lot = app.open_lot(&technicien, intervention).await;
    assert_eq!((&lot["termine"], &lot["ferme_le"]), (&json!(false), &json!(null)));
    for n in 0..40 {
        app.add(&technicien, &lot, &format!("{n}.jpg"), photo()).await.expect(201);
    }
    app.add(&technicien, &lot, "41.jpg", broken_photo()).await.expect(201);
    app.run_jobs().await;
    let open = app.lot(&boss, &lot).await;
    assert_eq!(
        (&open["prets"], &open["refuses"], &open["en_cours"], &open["termine"]),
        (&json!(40), &json!(1), &json!(0), &json!(false))
    );
    assert_eq!(app.heard(&technicien).await, Vec::<Value>::new(), "more may come");

    let closed = app.close_lot(&technicien, &lot).await.expect(200);
    assert_eq!(closed["termine"], json!(true), "{closed}");
    app.run_jobs().await;
    let said = "40 photos prêtes, 1 refusée. Renvoyez-la : le motif du refus est indiqué dans les documents de l'intervention.";
    assert_eq!(app.heard(&technicien).await, [json!(said)]);
    assert_eq!(app.heard(&boss).await, Vec::<Value>::new());

    // Neither closing it again nor the end of its hour sends a second notification.
    assert_eq!(app.close_lot(&technicien, &lot).await.expect(200), closed);
    app.skip_backoff().await;
    app.run_jobs().await;
    assert_eq!(app.heard(&technicien).await.len(), 1);
    app.add(&technicien, &lot, "late.jpg", photo()).await.expect_error(409, "lot_ferme");
}

#[tokio::test]
async fn a_lot_that_is_closed_first_waits_for_its_files() {
    let app = App::new().await;
    let (technicien, _, intervention) = on_site(&app).await;
    let lot = app.open_lot(&technicien, intervention).await;
    app.add(&technicien, &lot, "1.jpg", photo()).await.expect(201);
    app.add(&technicien, &lot, "note.txt", b"tout va bien".to_vec()).await.expect(201);
    let closed = app.close_lot(&technicien, &lot).await.expect(200);
    assert_eq!((&closed["en_cours"], &closed["termine"]), (&json!(2), &json!(false)));
    app.run_jobs().await;
    assert_eq!(app.heard(&technicien).await, [json!("2 fichiers prêts.")]);
}

#[tokio::test]
async fn a_lot_that_nobody_closes_closes_after_its_hour() {
    let app = App::new().await;
    let (technicien, _, intervention) = on_site(&app).await;
    let lot = app.open_lot(&technicien, intervention).await;
    app.add(&technicien, &lot, "1.jpg", photo()).await.expect(201);
    let empty = app.open_lot(&technicien, intervention).await;
    app.run_jobs().await;
    assert_eq!(app.lot(&technicien, &lot).await["ferme_le"], json!(null));
    app.skip_backoff().await;
    app.run_jobs().await;
    assert_eq!(app.lot(&technicien, &lot).await["termine"], json!(true));
    assert_eq!(app.lot(&technicien, &empty).await["termine"], json!(true));
    assert_eq!(app.heard(&technicien).await, [json!("1 photo prête.")], "of nothing, nothing");
}

#[tokio::test]
async fn a_lot_is_of_one_person_and_one_intervention() {
    let app = App::new().await;
    let (technicien, boss, intervention) = on_site(&app).await;
    let lot = app.open_lot(&technicien, intervention).await;
    app.add(&boss, &lot, "1.jpg", photo()).await.expect_error(404, "lot_introuvable");
    let other = json!({ "intervention_id": app.intervention(&boss).await, "id": lot["id"] });
    app.add(&technicien, &other, "1.jpg", photo()).await.expect_error(404, "lot_introuvable");
    let none = json!({ "intervention_id": intervention, "id": 999_999 });
    app.add(&technicien, &none, "1.jpg", photo()).await.expect_error(404, "lot_introuvable");
    app.call(&technicien, Method::POST, "/interventions/999999/lots", None)
        .await
        .expect_error(404, "intervention_introuvable");
    let colleague = app.user(UserRole::Technicien).await;
    app.close_lot(&colleague, &lot).await.expect_error(404, "lot_introuvable");
    assert_eq!(app.lot(&boss, &lot).await["prets"], json!(0));
    assert_eq!(app.stored_files(), Vec::<String>::new());
    // A responsable may close the lot of another user.
    app.close_lot(&boss, &lot).await.expect(200);
}

#[tokio::test]
async fn a_photo_that_is_removed_holds_up_nothing() {
    let app = App::new().await;
    let (technicien, boss, intervention) = on_site(&app).await;
    let lot = app.open_lot(&technicien, intervention).await;
    let first = app.add(&technicien, &lot, "1.jpg", photo()).await.expect(201);
    app.add(&technicien, &lot, "2.jpg", photo()).await.expect(201);
    app.close_lot(&technicien, &lot).await.expect(200);
    app.delete(&boss, &format!("/documents/{}", first["id"])).await.expect(200);
    app.run_jobs().await;
    assert_eq!(app.heard(&technicien).await, [json!("1 photo prête.")]);
    assert_eq!(app.lot(&technicien, &lot).await["termine"], json!(true));
}

#[tokio::test]
async fn a_photo_that_is_processed_again_is_waited_for() {
    let app = App::new().await;
    let (technicien, boss, intervention) = on_site(&app).await;
    let lot = app.open_lot(&technicien, intervention).await;
    let photo = app.add(&technicien, &lot, "1.jpg", photo()).await.expect(201);
    app.run_jobs().await;
    // A responsable has the photo processed again, and that job has not run when the lot is closed.
    let path = format!("/documents/{}/reprocess", photo["id"]);
    app.post(&boss, &path, json!({})).await.expect(202);
    let later = "update queue.jobs set run_at = now() + interval '1 hour' where queue = 'documents.process'";
    sqlx::raw_sql(later).execute(&app.ctx.pool).await.unwrap();
    app.close_lot(&technicien, &lot).await.expect(200);
    app.run_jobs().await;
    assert_eq!(app.heard(&technicien).await, Vec::<Value>::new());
    app.skip_backoff().await;
    app.run_jobs().await;
    app.skip_backoff().await;
    app.run_jobs().await;
    assert_eq!(app.heard(&technicien).await, [json!("1 photo prête.")]);
}
