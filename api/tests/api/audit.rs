//! The audit: written in the transaction of what it records, and any later change is detected.
use chrono::TimeDelta;
use erp_core::{
    Clock,
    audit::{self, Broken, Verification},
    users::UserRole,
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::support::{App, PASSWORD, User};

async fn login(app: &App, name: &str, password: &str) -> u16 {
    let form = [("username", name), ("password", password)];
    let request = app.request(Method::POST, "/api/v1/auth/login").form(&form);
    app.send(request).await.status.as_u16()
}

/// The rows of the audit that match these filters, oldest first.
async fn lines(app: &App, admin: &User, filters: &str) -> Vec<Value> {
    let list = app.get(admin, &format!("/admin/audit?limit=200{filters}")).await.expect(200);
    let mut lines = list.as_array().unwrap().clone();
    lines.reverse();
    lines
}

async fn actions(app: &App, admin: &User, filters: &str) -> Vec<String> {
    let lines = lines(app, admin, filters).await;
    lines.iter().map(|line| line["action"].as_str().unwrap().to_owned()).collect()
}

async fn verified(app: &App) -> Verification {
    audit::verify(&mut app.ctx.pool.acquire().await.unwrap()).await.unwrap()
}

/// Changes the audit as somebody with full access to the database could: without its triggers.
async fn tamper(app: &App, statement: &str) {
    let statement =
        format!("begin; set local session_replication_role = replica; {statement}; commit");
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&app.ctx.pool).await.unwrap();
}

#[tokio::test]
async fn what_admins_and_users_do_is_written_down_with_who_and_from_where() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    let new = json!({
        "username": "kbennis", "full_name": "Karim Bennis", "email": "k.bennis@mif.example", "role": "technicien",
        "password": PASSWORD,
    });
    let id = app.post(&admin, "/users", new).await.expect(201)["id"].as_i64().unwrap();
    assert_eq!(login(&app, "kbennis", PASSWORD).await, 200);
    for _ in 0..5 {
        assert_eq!(login(&app, "kbennis", "un mot de passe de trop").await, 401);
    }
    assert_eq!(login(&app, "personne", "un mot de passe de trop").await, 401);
    app.delete(&admin, &format!("/users/{id}/sessions")).await.expect(204);
    app.delete(&admin, &format!("/users/{id}")).await.expect(204);
    app.patch(&admin, &format!("/users/{id}/activate"), json!({})).await.expect(200);

    let of_account = format!("&cible=compte&cible_id={id}");
    let expected = [
        "compte_cree",
        "connexion",
        "connexion_refusee",
        "connexion_refusee",
        "connexion_refusee",
        "connexion_refusee",
        "connexion_refusee",
        "verrouillage",
        "sessions_terminees",
        "compte_desactive",
        "compte_reactive",
    ];
    assert_eq!(actions(&app, &admin, &of_account).await, expected);
    let made = &lines(&app, &admin, &format!("{of_account}&action=compte_cree")).await[0];
    assert_eq!((&made["user_id"], &made["adresse_ip"]), (&json!(admin.id), &json!("127.0.0.1")));
    assert!(made["session_id"].is_string() && made["request_id"].is_string(), "{made}");
    assert_eq!(made["apres"]["username"], "kbennis");
    let unknown = lines(&app, &admin, "&action=connexion_refusee").await;
    assert_eq!(unknown.last().unwrap()["apres"], json!({"motif": "compte_inconnu"}));

    app.post(&admin, "/admin/queues/emails.send/pause", json!({})).await.expect(200);
    app.post(&admin, "/admin/queues/emails.send/resume", json!({})).await.expect(200);
    app.put(&admin, "/admin/schedules/planning.rappel", json!({"cron": "30 6 * * *"}))
        .await
        .expect(200);
    app.post(&admin, "/admin/jobs/retry?state=dead", json!({})).await.expect(200);
    let mine = format!("&user_id={}", admin.id);
    let done = actions(&app, &admin, &mine).await;
    let last = &done[done.len() - 4..];
    assert_eq!(
        last,
        ["file_suspendue", "file_reprise", "planification_modifiee", "taches_relancees"]
    );
    let lines = lines(&app, &admin, &format!("{mine}&action=taches_relancees")).await;
    assert_eq!(lines[0]["apres"]["count"], 0);
    assert_eq!(lines[0]["apres"]["filter"]["state"], "dead");

    // The audit contains no secret.
    let all = sqlx::query_scalar::<_, String>(
        "select coalesce(string_agg(a::text, ' '), '') from audit a",
    );
    let all = all.fetch_one(&app.ctx.pool).await.unwrap();
    for secret in [PASSWORD, "un mot de passe de trop", "argon2", &admin.token] {
        assert!(!all.contains(secret), "{secret}");
    }
    assert_eq!(verified(&app).await.broken, []);
}

#[tokio::test]
async fn what_does_not_happen_is_not_written_down() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    let before = actions(&app, &admin, "").await.len();
    app.delete(&admin, "/users/987654").await.expect(404);
    app.delete(&admin, &format!("/users/{}", admin.id)).await.expect(409);
    app.post(&admin, "/admin/queues/nulle.part/pause", json!({})).await.expect(404);
    assert_eq!(actions(&app, &admin, "").await.len(), before);
}

#[tokio::test]
async fn all_of_it_comes_as_one_json_object_a_line_and_only_to_admins() {
    let app = App::new().await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    app.get(&boss, "/admin/audit").await.expect_error(403, "action_interdite");
    app.get(&admin, "/admin/audit?action=rien").await.expect_error(422, "donnees_invalides");
    for _ in 0..3 {
        login(&app, &boss.username, PASSWORD).await;
    }
    let request = app
        .request(Method::GET, "/api/v1/admin/audit?action=connexion")
        .bearer_auth(&admin.token)
        .header("accept", "application/x-ndjson");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let text = answer.text().await.unwrap();
    let ids: Vec<i64> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_i64().unwrap())
        .collect();
    assert_eq!(ids.len(), 5, "{text}");
    assert!(ids.is_sorted());
    assert_eq!(actions(&app, &admin, "&action=audit_exporte").await.len(), 1);
}

#[tokio::test]
async fn rows_are_only_added_and_whoever_does_otherwise_is_found_out() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    for _ in 0..6 {
        login(&app, &admin.username, PASSWORD).await;
    }
    for statement in ["update audit set user_id = 1", "delete from audit", "truncate audit"] {
        let refused = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&app.ctx.pool).await;
        assert!(refused.unwrap_err().to_string().contains("only added"), "{statement}");
    }
    let whole = verified(&app).await;
    assert_eq!((whole.broken.len(), whole.rows, whole.days), (0, 7, 1));
    let ids: Vec<i64> = sqlx::query_scalar("select id from audit order by id")
        .fetch_all(&app.ctx.pool)
        .await
        .unwrap();
    let keep = "create table copie as select * from audit";
    sqlx::raw_sql(keep).execute(&app.ctx.pool).await.unwrap();
    let restore =
        "delete from audit; insert into audit overriding system value select * from copie";

    let is_gap = |broken: &Broken, row: i64| matches!(broken, Broken::Gap { id, .. } if *id == row);
    tamper(&app, &format!("update audit set user_id = 77 where id = {}", ids[2])).await;
    let found = verified(&app).await.broken;
    assert!(matches!(found[..], [Broken::Changed { id, .. }] if id == ids[2]), "{found:?}");
    tamper(&app, restore).await;

    tamper(&app, &format!("delete from audit where id = {}", ids[3])).await;
    let found = verified(&app).await.broken;
    assert!(found.iter().any(|broken| is_gap(broken, ids[4])), "{found:?}");
    tamper(&app, restore).await;

    tamper(&app, &format!("delete from audit where id = {}", ids[6])).await;
    let found = verified(&app).await.broken;
    assert!(matches!(found[..], [Broken::End { expected: 7, found: 6, .. }]), "{found:?}");
    tamper(&app, restore).await;

    // A row inserted between two others; the later numbers move up by one.
    let last = ids[3];
    let insert = format!(
        "update audit set numero = 90 + numero where id > {last};
        update audit set numero = numero - 89 where id > {last};
        insert into audit overriding system value
        select id + 1000, jour, horodatage, action, user_id, session_id, adresse, request_id, cible, cible_id, avant, apres,
               numero + 1, empreinte, sha256(empreinte) from audit where id = {last};
        update audit_jours set lignes = 8"
    );
    tamper(&app, &insert).await;
    let found = verified(&app).await.broken;
    assert!(found.iter().any(|broken| is_gap(broken, ids[4])), "{found:?}");
    assert!(
        found.iter().any(|b| matches!(b, Broken::Changed { id, .. } if *id == last + 1000)),
        "{found:?}"
    );
    tamper(&app, "update audit_jours set lignes = 7").await;
    tamper(&app, restore).await;
    assert_eq!(verified(&app).await.broken, []);

    tamper(&app, "delete from audit_jours").await;
    let found = verified(&app).await.broken;
    assert!(matches!(found[..], [Broken::Orphans { rows: 7, .. }]), "{found:?}");
    sqlx::raw_sql("drop table copie").execute(&app.ctx.pool).await.unwrap();
}

#[tokio::test]
async fn whole_days_go_when_they_have_had_their_time_and_their_last_hash_stays() {
    // Older than AUDIT_DAYS by the clock of the database, too.
    let start = Clock::default().now() - TimeDelta::days(740);
    let app = App::at(Clock::stopped_at(start), &[]).await;
    let admin = app.user(UserRole::Admin).await;
    for day in 1..4 {
        app.ctx.clock.set(start + TimeDelta::days(day));
        login(&app, &admin.username, PASSWORD).await;
    }
    let verdict = verified(&app).await;
    assert_eq!((verdict.days, verdict.rows, verdict.broken.len()), (4, 4, 0));

    let now = app.ctx.clock.now();
    for removed in [2, 0] {
        let mut tx = app.ctx.begin().await.unwrap();
        let kept = TimeDelta::days(1);
        assert_eq!(audit::prune(&mut tx, kept, now, 1000).await.unwrap(), removed);
        tx.commit().await.unwrap();
    }
    let verdict = verified(&app).await;
    assert_eq!((verdict.days, verdict.pruned, verdict.rows), (2, 2, 2));
    assert_eq!(verdict.broken, []);

    // The removal of a day in between is detected in the next day.
    login(&app, &admin.username, PASSWORD).await;
    app.ctx.clock.set(start + TimeDelta::days(4));
    login(&app, &admin.username, PASSWORD).await;
    let day = (start + TimeDelta::days(3)).date_naive();
    tamper(&app, &format!("delete from audit where jour = '{day}'")).await;
    tamper(&app, &format!("delete from audit_jours where jour = '{day}'")).await;
    let found = verified(&app).await.broken;
    assert!(matches!(found[..], [Broken::Day { .. }]), "{found:?}");
}

#[tokio::test]
async fn what_is_younger_than_the_database_keeps_stays_whatever_the_program_asks_for() {
    let start = Clock::default().now() - TimeDelta::days(700);
    let app = App::at(Clock::stopped_at(start), &[]).await;
    let admin = app.user(UserRole::Admin).await;
    app.ctx.clock.set(start + TimeDelta::days(600));
    login(&app, &admin.username, PASSWORD).await;

    let prune = async || {
        let (mut tx, now) = (app.ctx.begin().await.unwrap(), app.ctx.clock.now());
        let gone = audit::prune(&mut tx, TimeDelta::days(1), now, 1000).await.unwrap();
        tx.commit().await.unwrap();
        gone
    };
    assert_eq!(prune().await, 0);
    // As `erp-api migrate` does with AUDIT_DAYS=365.
    let garde = "update audit_garde set jours = 365";
    sqlx::raw_sql(garde).execute(&app.ctx.pool).await.unwrap();
    assert_eq!(prune().await, 1);
    let verdict = verified(&app).await;
    assert_eq!((verdict.days, verdict.pruned, verdict.broken.len()), (1, 1, 0));
}

#[tokio::test]
async fn many_at_once_make_one_chain() {
    let app = App::new().await;
    let users: Vec<_> =
        futures_util::future::join_all((0..10).map(|_| app.user(UserRole::Technicien))).await;
    let logins = users.iter().map(|user| login(&app, &user.username, "pas le bon"));
    futures_util::future::join_all(logins).await;
    let verdict = verified(&app).await;
    assert_eq!((verdict.rows, verdict.broken.len()), (20, 0));
}
