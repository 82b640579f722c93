//! Invitations: from the request to the first session, and everything that ends them on the way.
use chrono::TimeDelta;
use erp_core::{Clock, users::UserRole};
use futures_util::future::join_all;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::support::{Answer, App, PASSWORD, User};

const NEW: &str = "grue jaune bassin 9";

fn guest(name: &str, role: UserRole) -> Value {
    json!({"username": name, "full_name": "Hicham Alaoui", "email": format!("{name}@mif.example"), "role": role})
}

/// A system whose time stands still: a busy machine takes minutes for what people do within two.
async fn still() -> App {
    App::at(Clock::stopped_at(Clock::default().now()), &[]).await
}

/// Invites, and returns the id of the account.
async fn invite(app: &App, by: &User, new: Value) -> i64 {
    app.post(by, "/users/invitations", new).await.expect(201)["id"].as_i64().unwrap()
}

/// The path of the link in the last mail to `email`.
fn linked(app: &App, email: &str) -> String {
    let mails = app.mails();
    let mail = mails.iter().rev().find(|mail| mail.to == [email]).unwrap();
    let text = mail.text.as_deref().unwrap();
    let at = text.find("/api/v1/compte/invitation?jeton=").unwrap();
    text[at..].split_whitespace().next().unwrap().to_owned()
}

/// Status and page.
async fn read(request: RequestBuilder) -> (u16, String) {
    let answer = request.send().await.unwrap();
    let header =
        |name: &str| answer.headers().get(name).map_or("", |value| value.to_str().unwrap());
    assert_eq!((header("cache-control"), header("referrer-policy")), ("no-store", "no-referrer"));
    let policy = header("content-security-policy");
    assert!(
        policy.starts_with("default-src 'none'; ") && policy.contains("; form-action 'self'; "),
        "{policy}"
    );
    (answer.status().as_u16(), answer.text().await.unwrap())
}

async fn open(app: &App, path: &str) -> (u16, String) {
    read(app.request(Method::GET, path)).await
}

/// Sends the form of the page; the status, and the secret that it leads to the application with.
async fn choose(app: &App, path: &str, password: &str) -> (u16, String) {
    let form = [("password", password), ("encore", password)];
    let (status, page) = read(app.request(Method::POST, path).form(&form)).await;
    let leads = page.split_once("http-equiv=\"refresh\" content=\"0;url=");
    let leads = leads.and_then(|(_, rest)| rest.split_once('"')).map_or("", |(url, _)| url);
    let secret = leads.split_once("/#connexion=").map_or("", |(_, secret)| secret);
    (status, secret.to_owned())
}

async fn exchange(app: &App, secret: &str) -> Answer {
    app.send(app.request(Method::POST, "/auth/link").form(&[("jeton", secret)])).await
}

async fn sign_in(app: &App, name: &str, password: &str) -> Answer {
    let form = [("username", name), ("password", password)];
    app.send(app.request(Method::POST, "/auth/login").form(&form)).await
}

async fn waiting(app: &App, user: &User) -> Vec<i64> {
    let list = app.get(user, "/users/invitations").await.expect(200);
    list.as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn who_is_invited_chooses_a_password_and_is_signed_in() {
    let app = still().await;
    let admin =
        app.user_with(UserRole::Admin, json!({"full_name": "Nadia <b>Cherkaoui</b>"})).await;
    let made =
        app.post(&admin, "/users/invitations", guest("halaoui", UserRole::Responsable)).await;
    let made = made.expect(201);
    assert_eq!((&made["username"], &made["role"]), (&json!("halaoui"), &json!("responsable")));
    assert_eq!(made["invite_par_nom"], "Nadia <b>Cherkaoui</b>");
    let id = made["id"].as_i64().unwrap();
    assert_eq!(waiting(&app, &admin).await, [id]);
    app.run_jobs().await;
    let mail = app.mails().pop().unwrap();
    assert_eq!(mail.subject, "Votre compte MIF Maroc vous attend");
    let text = mail.text.unwrap();
    assert!(text.contains("Nadia <b>Cherkaoui</b>"), "{text}");

    // No password is that of an account without one.
    for guess in ["", " ", "null", PASSWORD] {
        assert_ne!(sign_in(&app, "halaoui", guess).await.status, 200, "{guess:?}");
    }
    let path = linked(&app, "halaoui@mif.example");
    let (status, page) = open(&app, &path).await;
    assert_eq!(status, 200);
    for word in ["Nadia &lt;b&gt;Cherkaoui", "halaoui", "Hicham Alaoui", "Ouvrir mon compte"] {
        assert!(page.contains(word), "{word}: {page}");
    }
    assert_eq!(choose(&app, &path, "halaoui1").await.0, 422);
    let (status, secret) = choose(&app, &path, NEW).await;
    assert_eq!(status, 200);
    assert_eq!(open(&app, &path).await.0, 404, "a link is good once");
    assert_eq!(choose(&app, &path, PASSWORD).await.0, 404);
    assert_eq!(waiting(&app, &admin).await, [0; 0]);

    let tokens = exchange(&app, &secret).await.expect(200);
    let user = User {
        id,
        username: "halaoui".to_owned(),
        email: String::new(),
        token: tokens["access_token"].as_str().unwrap().to_owned(),
    };
    assert_eq!(app.get(&user, "/users/me").await.expect(200)["username"], "halaoui");
    exchange(&app, &secret).await.expect_error(401, "session_terminee");
    sign_in(&app, "halaoui", NEW).await.expect(200);
    app.run_jobs().await;

    let audit =
        app.get(&admin, &format!("/admin/audit?cible=compte&cible_id={id}")).await.expect(200);
    let acts: Vec<_> =
        audit.as_array().unwrap().iter().map(|line| line["action"].clone()).collect();
    for act in ["invitation", "invitation_acceptee", "connexion"] {
        assert!(acts.contains(&json!(act)), "{act}: {acts:?}");
    }
    assert!(!audit.to_string().contains(&secret), "{audit}");
}

/// The secrets of links are good for one thing each.
#[tokio::test]
async fn a_link_is_good_for_what_it_was_made_for() {
    let start = Clock::default().now();
    let app = App::at(Clock::stopped_at(start), &[]).await;
    let admin = app.user(UserRole::Admin).await;
    invite(&app, &admin, guest("halaoui", UserRole::Technicien)).await;
    app.run_jobs().await;
    let path = linked(&app, "halaoui@mif.example");
    let secret = path.split_once('=').unwrap().1.to_owned();
    exchange(&app, &secret).await.expect_error(401, "session_terminee");
    let other = path.replace("/invitation?", "/mot-de-passe?");
    assert_eq!(open(&app, &other).await.0, 404);

    let (_, session) = choose(&app, &path, NEW).await;
    for page in ["invitation", "mot-de-passe"] {
        assert_eq!(open(&app, &format!("/compte/{page}?jeton={session}")).await.0, 404, "{page}");
    }
    app.ctx.clock.set(start + TimeDelta::minutes(2));
    exchange(&app, &session).await.expect_error(401, "session_terminee");
    exchange(&app, "faux").await.expect_error(401, "session_terminee");
    sign_in(&app, "halaoui", NEW).await.expect(200);

    // One that was asked for because the password was forgotten opens no invitation.
    let form = [("email", "halaoui@mif.example")];
    app.send(app.request(Method::POST, "/auth/forgot").form(&form)).await.expect(202);
    app.run_jobs().await;
    let text = app.mails().pop().unwrap().text.unwrap();
    let at = text.find("?jeton=").unwrap();
    let query = text[at..].split_whitespace().next().unwrap();
    assert_eq!(open(&app, &format!("/compte/invitation{query}")).await.0, 404);
}

#[tokio::test]
async fn an_invitation_ends_with_its_time_a_newer_one_or_when_it_is_revoked() {
    let start = Clock::default().now();
    let app = App::at(Clock::stopped_at(start), &[]).await;
    let admin = app.user(UserRole::Admin).await;
    let id = invite(&app, &admin, guest("halaoui", UserRole::Technicien)).await;
    app.run_jobs().await;
    let first = linked(&app, "halaoui@mif.example");
    app.ctx.clock.set(start + TimeDelta::hours(71));
    assert_eq!(open(&app, &first).await.0, 200);
    app.ctx.clock.set(start + TimeDelta::hours(72));
    assert_eq!(open(&app, &first).await.0, 404);
    assert_eq!(choose(&app, &first, NEW).await.0, 404);
    assert_eq!(waiting(&app, &admin).await, [id], "it can be sent again");

    // A stranger at a mistyped address opens nothing after that, either.
    let form = [("email", "halaoui@mif.example")];
    app.send(app.request(Method::POST, "/auth/forgot").form(&form)).await.expect(202);
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 1);

    let again = format!("/users/invitations/{id}/renvoyer");
    app.post(&admin, &again, json!({})).await.expect(200);
    app.post(&admin, &again, json!({})).await.expect_error(409, "invitation_recente");
    app.run_jobs().await;
    let second = linked(&app, "halaoui@mif.example");
    assert_eq!(open(&app, &second).await.0, 200);
    // Nobody else ends it: who asks for a new password gets one more link.
    app.send(app.request(Method::POST, "/auth/forgot").form(&form)).await.expect(202);
    app.run_jobs().await;
    assert_eq!(open(&app, &second).await.0, 200);
    let mail = app.mails().pop().unwrap();
    assert_eq!(
        (app.mails().len(), mail.subject.as_str()),
        (3, "Choisissez un nouveau mot de passe")
    );
    app.ctx.clock.set(start + TimeDelta::hours(72) + TimeDelta::minutes(2));
    app.post(&admin, &again, json!({})).await.expect(200);
    app.run_jobs().await;
    assert_eq!(open(&app, &second).await.0, 404, "a newer one ends it");

    // All sessions ended: the link ends, too, and another one can be sent at once.
    let third = linked(&app, "halaoui@mif.example");
    app.delete(&admin, &format!("/users/{id}/sessions")).await.expect(204);
    assert_eq!(open(&app, &third).await.0, 404);
    app.send(app.request(Method::POST, "/auth/forgot").form(&form)).await.expect(202);
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 4);
    app.post(&admin, &again, json!({})).await.expect(200);
    app.run_jobs().await;

    // Another address: the old one gets no access, the new one a link.
    let third = linked(&app, "halaoui@mif.example");
    let edit = json!({"email": "h.alaoui@mif.example"});
    app.put(&admin, &format!("/users/{id}"), edit).await.expect(200);
    app.run_jobs().await;
    assert_eq!(open(&app, &third).await.0, 404);
    let fourth = linked(&app, "h.alaoui@mif.example");
    assert_eq!(open(&app, &fourth).await.0, 200);

    app.delete(&admin, &format!("/users/invitations/{id}")).await.expect(204);
    assert_eq!(open(&app, &fourth).await.0, 404);
    assert_eq!(choose(&app, &fourth, NEW).await.0, 404);
    assert_eq!(waiting(&app, &admin).await, [0; 0]);
    app.delete(&admin, &format!("/users/invitations/{id}"))
        .await
        .expect_error(404, "invitation_introuvable");
    app.post(&admin, &again, json!({})).await.expect_error(404, "invitation_introuvable");
    assert_eq!(app.get(&admin, &format!("/users/{id}")).await.expect(200)["is_active"], false);
    // Enabled again, the owner can be invited anew.
    app.call(&admin, Method::PATCH, &format!("/users/{id}/activate"), None).await.expect(200);
    app.post(&admin, &again, json!({})).await.expect(200);
    app.run_jobs().await;
    assert_eq!(choose(&app, &linked(&app, "h.alaoui@mif.example"), NEW).await.0, 200);
    app.post(&admin, &again, json!({})).await.expect_error(404, "invitation_introuvable");
    app.delete(&admin, &format!("/users/invitations/{id}"))
        .await
        .expect_error(404, "invitation_introuvable");
}

#[tokio::test]
async fn a_responsable_invites_techniciens_and_clients_alone() {
    let app = still().await;
    app.leaves_jobs();
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    let technicien = invite(&app, &boss, guest("tech", UserRole::Technicien)).await;
    let client = invite(&app, &boss, guest("client", UserRole::Client)).await;
    for role in [UserRole::Responsable, UserRole::Admin] {
        let refused = app.post(&boss, "/users/invitations", guest("chef", role)).await;
        refused.expect_error(403, "action_interdite");
    }
    let chef = invite(&app, &admin, guest("chef", UserRole::Responsable)).await;
    assert_eq!(waiting(&app, &boss).await, [client, technicien]);
    assert_eq!(waiting(&app, &admin).await, [chef, client, technicien]);
    let path = format!("/users/invitations/{chef}");
    app.delete(&boss, &path).await.expect_error(404, "invitation_introuvable");
    app.post(&boss, &format!("{path}/renvoyer"), json!({}))
        .await
        .expect_error(404, "invitation_introuvable");
    // Nor does the route end the account of somebody who has a password.
    app.delete(&boss, &format!("/users/invitations/{}", admin.id))
        .await
        .expect_error(404, "invitation_introuvable");
    app.get(&admin, "/users/me").await.expect(200);
    // A technicien can be planned before the invitation is accepted.
    app.post(&boss, "/techniciens", json!({"user_id": technicien})).await.expect(200);
    app.delete(&boss, &format!("/users/invitations/{client}")).await.expect(204);

    let mut same = guest("autre", UserRole::Client);
    same["email"] = json!("TECH@mif.example");
    app.post(&boss, "/users/invitations", same).await.expect_error(409, "email_deja_utilise");
    let mut same = guest("autre", UserRole::Client);
    same["username"] = json!("Tech");
    app.post(&boss, "/users/invitations", same)
        .await
        .expect_error(409, "nom_utilisateur_deja_utilise");
    let mut wrong = guest("autre", UserRole::Technicien);
    wrong["client_id"] = json!(1);
    app.post(&boss, "/users/invitations", wrong).await.expect_error(422, "donnees_invalides");
}

#[tokio::test]
async fn a_mistyped_address_is_corrected_by_who_invited() {
    let app = still().await;
    let (boss, taken) = (app.user(UserRole::Responsable).await, app.user(UserRole::Client).await);
    let id = invite(&app, &boss, guest("halaoui", UserRole::Technicien)).await;
    app.run_jobs().await;
    let wrong = linked(&app, "halaoui@mif.example");
    let again = format!("/users/invitations/{id}/renvoyer");
    let to = async |email: &str| app.post(&boss, &again, json!({"email": email})).await;
    to(&taken.email).await.expect_error(409, "email_deja_utilise");
    for same in ["halaoui@mif.example", "HAlaoui@MIF.example"] {
        to(same).await.expect_error(409, "invitation_recente");
    }
    to("pas une adresse").await.expect_error(422, "donnees_invalides");
    assert_eq!(open(&app, &wrong).await.0, 200, "what is refused changes nothing");
    assert_eq!(
        to("hicham.alaoui@mif.example").await.expect(200)["email"],
        "hicham.alaoui@mif.example"
    );
    app.run_jobs().await;
    assert_eq!(open(&app, &wrong).await.0, 404);
    assert_eq!(choose(&app, &linked(&app, "hicham.alaoui@mif.example"), NEW).await.0, 200);
    to("encore@mif.example").await.expect_error(404, "invitation_introuvable");
}

#[tokio::test]
async fn users_of_a_suspended_client_are_not_invited() {
    let app = still().await;
    let admin = app.user(UserRole::Admin).await;
    let client =
        app.post(&admin, "/clients", json!({"nom_entreprise": "Conserverie du Port"})).await;
    let client = client.expect(201)["id"].clone();
    let set = async |active: bool| {
        app.put(&admin, &format!("/clients/{client}"), json!({"is_active": active}))
            .await
            .expect(200);
    };
    let mut new = guest("halaoui", UserRole::Client);
    new["client_id"] = client.clone();
    set(false).await;
    app.post(&admin, "/users/invitations", new.clone()).await.expect_error(409, "client_inactif");
    set(true).await;
    let id = invite(&app, &admin, new).await;
    app.run_jobs().await;
    set(false).await;
    let edit = json!({"email": "h.alaoui@mif.example"});
    app.put(&admin, &format!("/users/{id}"), edit.clone()).await.expect(200);
    app.post(&admin, &format!("/users/invitations/{id}/renvoyer"), edit)
        .await
        .expect_error(409, "client_inactif");
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 1);
}

/// Programs of before know no invitations: what they change of an account ends one all the same.
#[tokio::test]
async fn who_has_a_password_or_is_disabled_is_not_invited_whatever_is_written() {
    let app = still().await;
    app.leaves_jobs();
    let admin = app.user(UserRole::Admin).await;
    let (able, disabled) = (
        invite(&app, &admin, guest("able", UserRole::Technicien)).await,
        invite(&app, &admin, guest("disabled", UserRole::Technicien)).await,
    );
    let before = "update users set password_hash = (select password_hash from users where id = $1) where id = $2";
    sqlx::query(before).bind(admin.id).bind(able).execute(&app.ctx.pool).await.unwrap();
    let off = "update users set is_active = false where id = $1";
    sqlx::query(off).bind(disabled).execute(&app.ctx.pool).await.unwrap();
    assert_eq!(waiting(&app, &admin).await, [0; 0]);
    for id in [able, disabled] {
        let path = format!("/users/invitations/{id}");
        app.delete(&admin, &path).await.expect_error(404, "invitation_introuvable");
        let again =
            app.post(&admin, &format!("{path}/renvoyer"), json!({"email": "x@mif.example"})).await;
        again.expect_error(404, "invitation_introuvable");
    }
    assert_eq!(app.get(&admin, &format!("/users/{able}")).await.expect(200)["is_active"], true);
}

/// Waits until so many connections wait for a row.
async fn until_waiting(app: &App, count: i64) {
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    let started = std::time::Instant::now();
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(&app.ctx.pool).await.unwrap() < count {
        assert!(started.elapsed() < std::time::Duration::from_secs(30), "nobody waits");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// Whoever is first, the account is in the end what the answers say.
#[tokio::test]
async fn accepting_races_with_all_that_ends_an_invitation() {
    let app = still().await;
    let admin = app.user(UserRole::Admin).await;
    for (n, ending) in ["revoke", "send", "edit", "disable"].into_iter().cycle().take(8).enumerate()
    {
        let name = format!("halaoui{n}");
        let id = invite(&app, &admin, guest(&name, UserRole::Technicien)).await;
        app.run_jobs().await;
        let path = linked(&app, &format!("{name}@mif.example"));
        let end = async {
            let other = json!({"email": format!("autre{n}@mif.example")});
            match ending {
                "revoke" => app.delete(&admin, &format!("/users/invitations/{id}")).await,
                "send" => {
                    app.post(&admin, &format!("/users/invitations/{id}/renvoyer"), other).await
                }
                "edit" => app.put(&admin, &format!("/users/{id}"), other).await,
                _ => app.delete(&admin, &format!("/users/{id}")).await,
            }
        };
        // Both wait for the account, one behind the other, in turns.
        let accept = choose(&app, &path, NEW);
        let accepts_first = n % 8 < 4;
        let mut held = erp_core::database::begin(&app.ctx.pool).await.unwrap();
        sqlx::query("select from users where id = $1 for update")
            .bind(id)
            .execute(&mut *held)
            .await
            .unwrap();
        let queue = async |first: bool| {
            if first {
                return;
            }
            until_waiting(&app, 1).await;
        };
        let release = async {
            until_waiting(&app, 2).await;
            held.rollback().await.unwrap();
        };
        let accept = async {
            queue(accepts_first).await;
            accept.await
        };
        let end = async {
            queue(!accepts_first).await;
            end.await
        };
        let ((accepted, _), ended, ()) = tokio::join!(accept, end, release);
        let ended = ended.status.as_u16();
        assert_eq!(accepted, if accepts_first { 200 } else { 404 }, "{ending}");
        let signed_in = sign_in(&app, &name, NEW).await.status.as_u16();
        match (ending, accepted, ended) {
            // The one that came second found no invitation.
            ("revoke" | "send", 200, 404) | ("edit", 200, 200) => {
                assert_eq!(signed_in, 200, "{ending}");
            }
            ("disable", 200, 204) => assert_eq!(signed_in, 403, "{ending}"),
            ("revoke" | "disable", 404, 204) | ("send" | "edit", 404, 200) => {
                assert_ne!(signed_in, 200, "{ending}");
            }
            other => panic!("{other:?}"),
        }
    }
    app.run_jobs().await;
}

/// An admin who has not accepted yet is none who could be left alone.
#[tokio::test]
async fn the_last_admin_with_a_password_stays() {
    let app = still().await;
    app.leaves_jobs();
    let (admin, other) = (app.user(UserRole::Admin).await, app.user(UserRole::Admin).await);
    let invited = invite(&app, &admin, guest("nouvel", UserRole::Admin)).await;
    app.delete(&admin, &format!("/users/{}", other.id)).await.expect(204);
    let edit = json!({"role": "responsable"});
    let path = format!("/users/{}", admin.id);
    app.put(&admin, &path, edit).await.expect_error(409, "dernier_administrateur");
    app.delete(&admin, &format!("/users/invitations/{invited}")).await.expect(204);
}

#[tokio::test]
async fn of_many_who_accept_at_once_one_does() {
    let app = still().await;
    let admin = app.user(UserRole::Admin).await;
    invite(&app, &admin, guest("halaoui", UserRole::Technicien)).await;
    app.run_jobs().await;
    let path = linked(&app, "halaoui@mif.example");
    let passwords: Vec<_> = (0..6).map(|n| format!("{NEW} numero {n}")).collect();
    let all = join_all(passwords.iter().map(|password| choose(&app, &path, password))).await;
    let served: Vec<_> = all.iter().filter(|(status, _)| *status == 200).collect();
    assert_eq!(served.len(), 1, "{all:?}");
    let secret = served[0].1.clone();
    let exchanged = join_all((0..4).map(|_| exchange(&app, &secret))).await;
    let good = exchanged.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(good, 1, "{exchanged:?}");
    app.run_jobs().await;
}

#[tokio::test]
async fn an_invitation_with_a_key_is_made_once() {
    let app = still().await;
    let admin = app.user(UserRole::Admin).await;
    let send = async || {
        let request =
            app.request(Method::POST, "/api/v1/users/invitations").bearer_auth(&admin.token);
        let request = request.header("idempotency-key", "invitation-1");
        app.send(request.json(&guest("halaoui", UserRole::Client))).await
    };
    let first = send().await.expect(201);
    assert_eq!(send().await.expect(201), first);
    app.run_jobs().await;
    assert_eq!(app.mails().len(), 1);
}
