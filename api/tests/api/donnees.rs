//! What the system knows about a person: for that person, and taken out again.
use std::io::{Cursor, Read as _};

use chrono::TimeDelta;
use erp_core::{Clock, users::UserRole};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{App, User};

const EXPORT: &str = "/users/me/export";

/// The files of a ZIP, by name.
fn unpack(bytes: Vec<u8>) -> Vec<(String, String)> {
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    let mut files = Vec::new();
    for at in 0..zip.len() {
        let mut file = zip.by_index(at).unwrap();
        let mut text = String::new();
        file.read_to_string(&mut text).unwrap();
        files.push((file.name().unwrap().into_owned(), text));
    }
    files
}

async fn download(app: &App, user: &User) -> reqwest::Response {
    let path = format!("/api/v1{EXPORT}/fichier");
    app.request(Method::GET, &path).bearer_auth(&app.token(user.id).await).send().await.unwrap()
}

fn stored(app: &App) -> usize {
    std::fs::read_dir(app.files.path().join("personnel")).map_or(0, Iterator::count)
}

#[tokio::test]
async fn a_person_gets_what_is_known_about_them_and_nothing_about_others() {
    let app = App::at(Clock::stopped_at(Clock::default().now()), &[]).await;
    let (user, technicien) = app.technicien().await;
    let (boss, admin) = (app.user(UserRole::Responsable).await, app.user(UserRole::Admin).await);
    let id = app.intervention(&boss).await;
    let path = format!("/interventions/{id}/affectation");
    app.patch(&boss, &path, json!({ "technicien_id": technicien })).await.expect(200);
    app.step(&user, id, "en_cours").await.expect(200);
    app.upload(&user, id, "pompe.txt", b"garniture".to_vec()).await;
    let key = json!({ "nom": "relevés", "portees": ["planning:lire"] });
    let key = app.post(&user, "/auth/api-keys", key).await.expect(201);
    app.put(&admin, &format!("/users/{}", user.id), json!({"full_name": "Salma Idrissi"}))
        .await
        .expect(200);
    app.run_jobs().await;

    app.get(&user, EXPORT).await.expect_error(404, "export_introuvable");
    let asked = app.post(&user, EXPORT, json!({})).await.expect(202);
    assert_eq!(asked["statut"], "pending");
    assert_eq!(app.post(&user, EXPORT, json!({})).await.expect(202), asked, "it joins the first");
    assert_eq!(download(&app, &user).await.status(), 404);
    app.run_jobs().await;
    let ready = app.get(&user, EXPORT).await.expect(200);
    assert_eq!(ready["statut"], "ready");
    let mail = app.mails().into_iter().rfind(|mail| mail.to == [user.email.clone()]).unwrap();
    assert_eq!(mail.subject, "Le fichier de vos données est prêt");
    assert!(mail.text.unwrap().contains("/compte#donnees"));

    let answer = download(&app, &user).await;
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let bytes = answer.bytes().await.unwrap().to_vec();
    assert_eq!(ready["size"], bytes.len());
    let files = unpack(bytes);
    let rows = |name: &str| -> Value {
        let (_, text) = files.iter().find(|(file, _)| *file == format!("{name}.json")).unwrap();
        serde_json::from_str(text).unwrap()
    };
    assert_eq!(rows("compte")[0]["full_name"], "Salma Idrissi");
    assert_eq!(rows("interventions_confiees")[0]["id"], id);
    assert_eq!(rows("historique")[0]["statut"], "en_cours");
    assert_eq!(rows("documents")[0]["filename"], "pompe.txt");
    assert_eq!(rows("notifications")[0]["type"], "affectation");
    assert_eq!(rows("cles_api")[0]["nom"], "relevés");
    assert!(!rows("emails").as_array().unwrap().is_empty());
    assert_eq!(rows("technicien")[0]["id"], technicien);
    let audit = rows("audit");
    let edited =
        audit.as_array().unwrap().iter().find(|l| l["action"] == "compte_modifie").unwrap();
    assert_eq!(
        (&edited["par_vous"], &edited["apres"]["full_name"]),
        (&json!(false), &json!("Salma Idrissi"))
    );
    assert!(edited["adresse"].is_null(), "that of somebody else: {edited}");
    assert_eq!(rows("interventions_creees"), json!([]));
    let all: String = files.iter().map(|(_, text)| text.as_str()).collect();
    for secret in
        [key["cle"].as_str().unwrap(), "$argon2", "\"empreinte", &boss.email, &admin.email]
    {
        assert!(!all.contains(secret), "{secret} in {all}");
    }

    // It is recorded, for its owner alone, and kept for a week.
    let line = "/admin/audit?action=donnees_telechargees";
    assert_eq!(app.get(&admin, line).await.expect(200)[0]["user_id"], user.id);
    assert_eq!(download(&app, &boss).await.status(), 404);
    assert_eq!(stored(&app), 1);
    // An attempt that was killed after it had written left a file that no row names.
    let orphan = format!("personnel/{}.zip", uuid::Uuid::new_v4());
    app.ctx.storage.put(&orphan, "rien".into()).await.unwrap();
    app.ctx.clock.set(app.ctx.clock.now() + TimeDelta::days(7));
    app.get(&user, EXPORT).await.expect_error(404, "export_introuvable");
    app.run_schedule(&admin, "maintenance.purge").await;
    assert_eq!(stored(&app), 0);

    // A job that is cancelled says so, and another request begins another.
    app.post(&boss, EXPORT, json!({})).await.expect(202);
    let jobs = app.get(&admin, "/admin/jobs?type=comptes.export&state=ready").await.expect(200);
    let job = jobs[0]["id"].as_str().unwrap();
    app.post(&admin, &format!("/admin/jobs/{job}/cancel"), json!({})).await.expect(200);
    assert_eq!(app.get(&boss, EXPORT).await.expect(200)["statut"], "failed");
    app.post(&boss, EXPORT, json!({})).await.expect(202);
    app.run_jobs().await;
    // Of others there is nothing in it, not even in what its owner wrote about them.
    let files = unpack(download(&app, &boss).await.bytes().await.unwrap().to_vec());
    let all: String = files.iter().map(|(_, text)| text.as_str()).collect();
    assert!(all.contains(&boss.email) && !all.contains("Salma technicien"), "{all}");

    // It ends with the account.
    assert_eq!(stored(&app), 1);
    app.delete(&admin, &format!("/users/{}", boss.id)).await.expect(204);
    app.run_jobs().await;
    assert_eq!(stored(&app), 0);
}

/// Where `text` stands in the database, but for the audit, which is proof, and the jobs that are done, which go after days.
async fn places(app: &App, text: &str) -> Vec<String> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select c.oid::regclass::text from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where c.relkind = 'r' and n.nspname = 'public' and c.relname <> 'audit' order by 1",
    )
    .fetch_all(&app.ctx.pool)
    .await
    .unwrap();
    let mut found = Vec::new();
    for table in tables {
        let look = format!("select count(*) from {table} t where t::text ilike '%' || $1 || '%'");
        let rows: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(look))
            .bind(text)
            .fetch_one(&app.ctx.pool)
            .await
            .unwrap();
        if rows > 0 {
            found.push(table);
        }
    }
    found
}

#[tokio::test]
async fn a_person_who_is_taken_out_is_a_number_everywhere_and_their_work_stays() {
    let app = App::new().await;
    let (user, technicien) = app.technicien().await;
    let (boss, admin) = (app.user(UserRole::Responsable).await, app.user(UserRole::Admin).await);
    let path = format!("/users/{}", user.id);
    app.put(&admin, &path, json!({"full_name": "Zineb Ouazzani"})).await.expect(200);
    let (done, open) = (app.intervention(&boss).await, app.intervention(&boss).await);
    for id in [done, open] {
        let path = format!("/interventions/{id}/affectation");
        app.patch(&boss, &path, json!({ "technicien_id": technicien })).await.expect(200);
    }
    app.step(&user, done, "en_cours").await.expect(200);
    app.step(&user, done, "cloturee").await.expect(200);
    app.browser_of(user.clone()).await;
    app.put(&user, "/users/me/preferences", json!({"emails": {"rappel": false}})).await.expect(200);
    app.post(&user, EXPORT, json!({})).await.expect(202);
    app.run_jobs().await;
    assert!(places(&app, "Zineb Ouazzani").await.len() > 1);
    assert!(places(&app, &user.email).await.len() > 1);

    let gone = format!("{path}?mode=pseudonymiser");
    app.delete(&boss, &gone).await.expect_error(403, "action_interdite");
    app.delete(&admin, &format!("/users/{}?mode=pseudonymiser", admin.id))
        .await
        .expect_error(409, "desactivation_de_soi");
    app.delete(&admin, &format!("{path}?mode=oublier"))
        .await
        .expect_error(422, "donnees_invalides");
    app.delete(&admin, &gone).await.expect(204);
    app.run_jobs().await;

    for text in ["Zineb Ouazzani", &user.email, &user.username] {
        assert_eq!(places(&app, text).await, [""; 0], "{text}");
    }
    assert_eq!(stored(&app), 0);
    let number = format!("Utilisateur {}", user.id);
    let told = "Affectation à un technicien retiré";
    let lines = app.get(&boss, &format!("/interventions/{done}/historique")).await.expect(200);
    let lines = lines.as_array().unwrap();
    assert!(lines.iter().any(|line| line["remarque"] == told));
    assert!(lines.iter().any(|line| line["user"]["full_name"] == number));
    let closed = app.get(&boss, &format!("/interventions/{done}")).await.expect(200);
    assert_eq!(closed["technicien"]["full_name"], number, "{closed}");
    let open = app.get(&boss, &format!("/interventions/{open}")).await.expect(200);
    assert_eq!((&open["technicien_id"], &open["statut"]), (&json!(null), &json!("ouverte")));

    // For good: and the address is free for a new account.
    app.get(&user, "/auth/me").await.expect_error(403, "compte_desactive");
    app.patch(&admin, &format!("{path}/activate"), json!({}))
        .await
        .expect_error(409, "compte_pseudonymise");
    app.put(&admin, &path, json!({"full_name": "x"}))
        .await
        .expect_error(409, "compte_pseudonymise");
    app.delete(&admin, &gone).await.expect_error(409, "compte_pseudonymise");
    app.user_with(UserRole::Client, json!({"email": user.email})).await;
    let audit = app.get(&admin, "/admin/audit?action=compte_pseudonymise").await.expect(200);
    assert_eq!(audit.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn of_two_of_one_name_the_lines_stay_until_both_are_gone_and_no_job_is_lost_for_good() {
    let app = App::at(Clock::stopped_at(Clock::default().now()), &[]).await;
    let (boss, admin) = (app.user(UserRole::Responsable).await, app.user(UserRole::Admin).await);
    let (one, other) = (app.technicien().await, app.technicien().await);
    let id = app.intervention(&boss).await;
    for (user, technicien) in [&one, &other] {
        let path = format!("/users/{}", user.id);
        app.put(&admin, &path, json!({"full_name": "Hana Alaoui"})).await.expect(200);
        let path = format!("/interventions/{id}/affectation");
        app.patch(&boss, &path, json!({ "technicien_id": technicien })).await.expect(200);
    }
    app.run_jobs().await;
    let named = async || {
        let lines = app.get(&boss, &format!("/interventions/{id}/historique")).await.expect(200);
        let lines = lines.as_array().unwrap().clone();
        lines.iter().filter(|line| line["remarque"] == "Affectation à Hana Alaoui").count()
    };
    app.delete(&admin, &format!("/users/{}?mode=pseudonymiser", one.0.id)).await.expect(204);
    app.run_jobs().await;
    assert_eq!(named().await, 2, "whose line it is, it does not say");

    // An operator cancels the job of the second: the purge takes it up a day later.
    app.delete(&admin, &format!("/users/{}?mode=pseudonymiser", other.0.id)).await.expect(204);
    let jobs = app.get(&admin, "/admin/jobs?type=comptes.pseudonymiser&state=ready").await;
    let job = jobs.expect(200)[0]["id"].as_str().unwrap().to_owned();
    app.post(&admin, &format!("/admin/jobs/{job}/cancel"), json!({})).await.expect(200);
    app.run_jobs().await;
    assert_eq!(named().await, 2);
    app.ctx.clock.set(app.ctx.clock.now() + TimeDelta::days(2));
    app.run_schedule(&admin, "maintenance.purge").await;
    assert_eq!(named().await, 0);
    assert_eq!(places(&app, "Hana Alaoui").await, [""; 0]);
}

/// What becomes of each column that names a user: in their export, removed with them, or said to stay (as the work of a number).
const COLUMNS: &[&str] = &[
    "appareils.user_id",
    "appareils_surs.user_id",
    "calendriers.user_id",
    "cles_api.user_id",
    "codes_secours.user_id",
    "depots_du_jour.user_id",
    "documents.depose_par",
    "envois.user_id",
    "evenements_notifies.user_id",
    "exports_personnels.user_id",
    "historique.user_id",
    "idempotence.user_id",
    "identites.user_id",
    "interventions.createur_id",
    "invitations.id",
    "invitations.invite_par",
    "liens_compte.user_id",
    "lots.ouvert_par",
    "notifications.user_id",
    "preferences.user_id",
    "pseudonymisations.user_id",
    "rapports.user_id",
    "refresh_tokens.user_id",
    "seconds_facteurs.user_id",
    "sessions.user_id",
    "techniciens.user_id",
];

/// Whoever adds a table decides here, in `core/src/personal_data/sources.rs` and in `core/src/accounts/pseudonyms.rs`.
#[tokio::test]
async fn every_column_that_names_a_user_is_exported_removed_or_said_to_stay() {
    let app = App::new().await;
    let columns: Vec<String> = sqlx::query_scalar(
        "select format('%s.%s', c.conrelid::regclass, a.attname)
         from pg_constraint c join pg_attribute a on a.attrelid = c.conrelid and a.attnum = any(c.conkey)
         where c.contype = 'f' and c.confrelid in ('users'::regclass, 'seconds_facteurs'::regclass) order by 1",
    )
    .fetch_all(&app.ctx.pool)
    .await
    .unwrap();
    assert_eq!(columns, COLUMNS);
}
