//! Repeated requests with an `Idempotency-Key`: one effect, and the same answer.
use erp_core::{Clock, users::UserRole};
use futures_util::future::{Either, join_all, select};
use reqwest::{Method, RequestBuilder, multipart};
use serde_json::{Value, json};

use crate::support::{Answer, App, PASSWORD, User};

const KEY: &str = "8e03978e-40d5-43dd-bc93-6894a57f9324";

fn keyed(app: &App, user: &User, path: &str, key: &str) -> RequestBuilder {
    let path = format!("/api/v1{path}");
    app.request(Method::POST, &path).bearer_auth(&user.token).header("idempotency-key", key)
}

async fn post(app: &App, user: &User, path: &str, key: &str, body: &Value) -> Answer {
    app.send(keyed(app, user, path, key).json(body)).await
}

async fn upload(app: &App, user: &User, id: i64, name: &str, bytes: &[u8], key: &str) -> Answer {
    let file = multipart::Part::bytes(bytes.to_vec()).file_name(name.to_owned());
    let form = multipart::Form::new().part("file", file);
    let path = format!("/documents/upload?intervention_id={id}");
    app.send(keyed(app, user, &path, key).multipart(form)).await
}

fn client(nom: &str) -> Value {
    json!({ "nom_entreprise": nom })
}

async fn count(app: &App, path: &str, user: &User) -> i64 {
    app.get(user, path).await.header("x-total-count").parse().unwrap()
}

/// The type of the only fault of a 422 about the key.
#[track_caller]
fn fault(answer: Answer) -> String {
    let body = answer.expect(422);
    assert_eq!(body["detail"][0]["loc"], json!(["header", "Idempotency-Key"]), "{body}");
    body["detail"][0]["type"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_request_sent_again_gets_the_answer_of_the_first_time() {
    let app = App::new().await;
    let (boss, other) =
        (app.user(UserRole::Responsable).await, app.user(UserRole::Responsable).await);
    let first = post(&app, &boss, "/clients", KEY, &client("OCP Jorf")).await;
    assert_eq!((first.status.as_u16(), first.header("idempotency-replayed")), (201, ""));
    // The address at the root, or with a slash at its end, is the same route.
    let again = app.request(Method::POST, "/clients/").bearer_auth(&boss.token);
    let again = again.header("idempotency-key", KEY).json(&client("OCP Jorf"));
    let again = app.send(again).await;
    assert_eq!((again.status, again.header("idempotency-replayed")), (first.status, "true"));
    assert_eq!(again.header("content-type"), first.header("content-type"));
    assert_eq!(again.body, first.body);
    assert_ne!(again.header("x-request-id"), first.header("x-request-id"));
    assert_eq!(count(&app, "/clients", &boss).await, 1);

    // The same key of another user or on another route, and no key at all, mean another request.
    post(&app, &other, "/clients", KEY, &client("OCP Jorf")).await.expect(201);
    post(&app, &boss, "/techniciens/competences", KEY, &json!({"nom": "Soudure"}))
        .await
        .expect(200);
    app.post(&boss, "/clients", client("OCP Jorf")).await.expect(201);
    assert_eq!(count(&app, "/clients", &boss).await, 3);
    // A key is accepted by a route that answers without a body; this request fails.
    let admin = app.user(UserRole::Admin).await;
    let answer = post(&app, &admin, "/admin/emails/987654/renvoyer", KEY, &json!({})).await;
    answer.expect_error(404, "envoi_introuvable");
}

#[tokio::test]
async fn a_key_is_for_one_request_alone() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let id = app.intervention(&boss).await;
    post(&app, &boss, "/clients", KEY, &client("OCP Jorf")).await.expect(201);
    let other = post(&app, &boss, "/clients", KEY, &client("OCP Safi")).await;
    assert_eq!(fault(other), "idempotency_key_reused");
    let other = post(&app, &boss, "/clients?q=1", KEY, &client("OCP Jorf")).await;
    assert_eq!(fault(other), "idempotency_key_reused");
    assert_eq!(count(&app, "/clients", &boss).await, 1);

    // The same route for two rows.
    let first = app.upload(&boss, id, "a.txt", b"un".to_vec()).await.expect(201)["id"].clone();
    let second = app.upload(&boss, id, "b.txt", b"deux".to_vec()).await.expect(201)["id"].clone();
    let reprocess = |id: &Value| format!("/documents/{id}/reprocess");
    post(&app, &boss, &reprocess(&first), KEY, &json!({})).await.expect(202);
    let other = post(&app, &boss, &reprocess(&second), KEY, &json!({})).await;
    assert_eq!(fault(other), "idempotency_key_reused");
    let again = post(&app, &boss, &reprocess(&first), KEY, &json!({})).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
}

#[tokio::test]
async fn a_key_is_1_to_255_visible_characters() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    for wrong in ["", "a b", "é", "a\tb", &"x".repeat(256)] {
        let answer = post(&app, &boss, "/clients", wrong, &client("OCP")).await;
        assert_eq!(fault(answer), "idempotency_key_invalid", "{wrong}");
    }
    let twice = keyed(&app, &boss, "/clients", "a").header("idempotency-key", "b");
    assert_eq!(fault(app.send(twice.json(&client("OCP"))).await), "idempotency_key_invalid");
    assert_eq!(count(&app, "/clients", &boss).await, 0);
    for good in ["\"8e03978e\"", "~", &"x".repeat(255)] {
        post(&app, &boss, "/clients", good, &client("OCP")).await.expect(201);
    }
    // Other methods ignore the header.
    let get = app.request(Method::GET, "/clients").bearer_auth(&boss.token);
    app.send(get.header("idempotency-key", "é")).await.expect(200);
}

#[tokio::test]
async fn what_failed_leaves_its_key_free() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let equipement_id = app.equipement(&boss).await;
    let new = |id: i64| json!({"titre": "Fuite", "type": "corrective", "equipement_id": id});
    let path = "/interventions";
    post(&app, &boss, path, KEY, &json!({"titre": ""}))
        .await
        .expect_error(422, "donnees_invalides");
    post(&app, &boss, path, KEY, &new(987_654)).await.expect_error(404, "equipement_introuvable");

    // A failed commit rolls the kept answer back with the effect.
    let run = async |sql: &'static str| {
        sqlx::raw_sql(sql).execute(&app.ctx.pool).await.unwrap();
    };
    run("create function non() returns trigger language plpgsql as $$ begin raise 'non'; end $$;
        create constraint trigger non after insert on interventions initially deferred
        for each row execute function non()")
    .await;
    post(&app, &boss, path, KEY, &new(equipement_id)).await.expect_error(500, "erreur_interne");
    assert_eq!(count(&app, path, &boss).await, 0);
    run("drop trigger non on interventions; drop function non()").await;

    let made = post(&app, &boss, path, KEY, &new(equipement_id)).await;
    assert_eq!(made.header("idempotency-replayed"), "");
    let made = made.expect(200);
    let again = post(&app, &boss, path, KEY, &new(equipement_id)).await;
    assert_eq!((again.header("idempotency-replayed"), &again.body), ("true", &made));
    assert_eq!(count(&app, path, &boss).await, 1);
}

#[tokio::test]
async fn of_twenty_at_once_one_has_its_effect() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let equipement_id = app.equipement(&boss).await;
    let new = json!({"titre": "Fuite", "type": "corrective", "equipement_id": equipement_id});
    for round in 0..5 {
        let key = format!("{KEY}-{round}");
        let all = (0..20).map(|_| post(&app, &boss, "/interventions", &key, &new));
        let answers = join_all(all).await;
        let made: Vec<_> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert!(made.iter().all(|answer| answer.body["id"] == made[0].body["id"]), "{made:?}");
        let first = made.iter().filter(|answer| answer.header("idempotency-replayed").is_empty());
        assert_eq!(first.count(), 1, "{answers:?}");
        for refused in answers.iter().filter(|answer| answer.status != 200) {
            assert_eq!((refused.status.as_u16(), refused.code()), (409, "requete_en_cours"));
        }
        assert_eq!(count(&app, "/interventions", &boss).await, round + 1);
        let last = post(&app, &boss, "/interventions", &key, &new).await.expect(200);
        assert_eq!(last["id"], made[0].body["id"]);
    }
}

#[tokio::test]
async fn while_one_is_under_way_the_other_is_told_so_and_one_that_is_cut_off_leaves_nothing() {
    static LOCKED: std::sync::LazyLock<Value> = std::sync::LazyLock::new(|| client("OCP"));
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let post = || Box::pin(post(&app, &boss, "/clients", KEY, &LOCKED));
    let mut lock = app.ctx.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table clients in exclusive mode").execute(&mut *lock).await.unwrap();
    // The first of the two waits for the table lock; the second is refused at once.
    let waiting = match select(post(), post()).await {
        Either::Left((answer, waiting)) | Either::Right((answer, waiting)) => {
            answer.expect_error(409, "requete_en_cours");
            waiting
        }
    };
    // The client of the waiting request disconnects, and the server abandons the request.
    drop(waiting);
    lock.commit().await.unwrap();
    let answer = loop {
        let answer = post().await;
        if answer.code() != "requete_en_cours" {
            break answer;
        }
    };
    let made = answer.expect(201);
    assert_eq!(post().await.expect(201), made);
    assert_eq!(count(&app, "/clients", &boss).await, 1);
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day_and_then_purged() {
    let app = App::at(Clock::stopped_at("2026-11-23T08:00:00Z".parse().unwrap()), &[]).await;
    let admin = app.user(UserRole::Admin).await;
    let token = |clock: &str| {
        app.set_clock(clock);
        app.token(admin.id)
    };
    let kept = async || {
        let rows = sqlx::query_scalar!(r#"select count(*) as "n!" from idempotence"#);
        rows.fetch_one(&app.ctx.pool).await.unwrap()
    };
    let first = post(&app, &admin, "/clients", KEY, &client("OCP")).await.expect(201);
    let admin = User { token: token("2026-11-24T07:59:59Z").await, ..admin.clone() };
    assert_eq!(post(&app, &admin, "/clients", KEY, &client("OCP")).await.expect(201), first);
    app.run_schedule(&admin, "maintenance.purge").await;
    assert_eq!(kept().await, 1);
    app.set_clock("2026-11-24T08:00:00Z");
    let second = post(&app, &admin, "/clients", KEY, &client("OCP Safi")).await.expect(201);
    assert_ne!(second["id"], first["id"]);

    let admin = User { token: token("2026-11-25T08:00:00Z").await, ..admin.clone() };
    app.run_schedule(&admin, "maintenance.purge").await;
    assert_eq!(kept().await, 0);
}

#[tokio::test]
async fn an_upload_is_known_by_its_file() {
    let app = App::with(&[("UPLOAD_QUOTA_MB", "1")]).await;
    let boss = app.user(UserRole::Responsable).await;
    let id = app.intervention(&boss).await;
    let bytes = "a".repeat(1024 * 1024).into_bytes();
    let first = upload(&app, &boss, id, "note.txt", &bytes, KEY).await.expect(201);
    let files = app.stored_files();
    // The quota is used up, by this very upload; the repeat is answered all the same.
    let again = upload(&app, &boss, id, "note.txt", &bytes, KEY).await;
    assert_eq!(again.header("idempotency-replayed"), "true");
    let again = again.expect(201);
    assert_eq!(again["id"], first["id"]);
    assert_eq!(app.stored_files(), files, "the copy is gone");
    let url = app.request(Method::GET, again["url"].as_str().unwrap()).send().await.unwrap();
    assert_ne!(url.status(), 401, "the address is signed");
    let other = upload(&app, &boss, id, "note.txt", b"autre", KEY).await;
    assert_eq!(fault(other), "idempotency_key_reused");
    let other = upload(&app, &boss, id, "autre.txt", &bytes, KEY).await;
    assert_eq!(fault(other), "idempotency_key_reused");
    upload(&app, &boss, id, "note.txt", &bytes, "autre")
        .await
        .expect_error(429, "quota_depots_atteint");

    // After the document is deleted, the repeat still gets the kept answer, and has no effect.
    app.delete(&boss, &format!("/documents/{}", first["id"])).await.expect(200);
    assert_eq!(
        upload(&app, &boss, id, "note.txt", &bytes, KEY).await.expect(201)["id"],
        first["id"]
    );
    assert_eq!(count(&app, "/documents", &boss).await, 0);
}

#[tokio::test]
async fn no_secret_is_kept() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    let id = app.intervention(&admin).await;
    let user = json!({
        "username": "s.idrissi", "full_name": "Salma Idrissi", "email": "s.idrissi@mif.example",
        "role": "responsable", "password": PASSWORD,
    });
    let made = post(&app, &admin, "/users", KEY, &user).await.expect(201);
    assert_eq!(post(&app, &admin, "/users", KEY, &user).await.expect(201), made);
    upload(&app, &admin, id, "note.txt", b"note", KEY).await.expect(201);
    // An answer with a secret is not kept: the same key gives another secret.
    let secret = async || {
        let answer = post(&app, &admin, "/users/me/calendrier", KEY, &json!({})).await;
        assert_eq!(answer.header("idempotency-replayed"), "");
        answer.expect(201)["jeton"].clone()
    };
    assert_ne!(secret().await, secret().await);

    let rows = sqlx::query!("select route, empreinte, corps from idempotence order by route");
    let rows = rows.fetch_all(&app.ctx.pool).await.unwrap();
    let routes: Vec<_> = rows.iter().map(|row| row.route.as_str()).collect();
    assert_eq!(routes, ["POST /documents/upload", "POST /users"]);
    for row in &rows {
        let corps = row.corps.as_deref().unwrap();
        assert!(!corps.contains("signature") && !corps.contains("password"), "{corps}");
        assert_eq!(row.empreinte.len(), 32);
    }
}

#[tokio::test]
async fn an_answer_that_is_too_large_is_not_kept_but_its_effect_is_not_doubled() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    let job = json!({ "texte": "x".repeat(300 * 1024) }).to_string();
    sqlx::query!(
        "insert into queue.ended (id, queue, outcome, ended_at, run_at, created_at, attempts, max_attempts, rescues, payload)
        values ('grande', 'emails', 'dead', now(), now(), now(), 3, 3, 0, convert_to($1, 'UTF8'))",
        job
    )
    .execute(&app.ctx.pool)
    .await
    .unwrap();
    let path = "/admin/jobs/grande/retry";
    post(&app, &admin, path, KEY, &json!({})).await.expect(200);
    post(&app, &admin, path, KEY, &json!({})).await.expect_error(409, "reponse_non_gardee");
    // A request without an effect is not kept either: a repeat is answered anew.
    let preview = "/admin/jobs/cancel?type=emails&preview=true";
    for _ in 0..2 {
        let answer = post(&app, &admin, preview, KEY, &json!({})).await;
        assert_eq!(answer.header("idempotency-replayed"), "");
        assert_eq!(answer.expect(200)["count"], 1);
    }
}

#[test]
fn every_post_takes_a_key_or_says_why_not() {
    let document = erp_api::openapi_document();
    let posts = erp_api::rbac::TABLE.iter().filter(|(method, ..)| *method == Method::POST);
    for (_, path, access) in posts.clone() {
        let operation = &document["paths"][format!("/api/v1{path}")]["post"];
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        let takes_one = parameters.iter().any(|parameter| parameter["name"] == "Idempotency-Key");
        let excepted = erp_api::once::EXCEPTIONS.iter().find(|(excepted, _)| excepted == path);
        assert_ne!(takes_one, excepted.is_some(), "POST {path}");
        // A key belongs to a user, so a route for everyone takes none.
        assert!(excepted.is_some() || *access != erp_api::rbac::Access::Anyone, "POST {path}");
    }
    for (excepted, reason) in erp_api::once::EXCEPTIONS {
        assert!(posts.clone().any(|(_, path, _)| path == excepted), "there is no POST {excepted}");
        assert!(reason.contains(' '), "{excepted}: {reason}");
    }
}
