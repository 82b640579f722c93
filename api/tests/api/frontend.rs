//! The calls of the two frontends, replayed with their encodings, roles and the fields that their pages read. The React one makes
//! all of [`CALLS`], each domain in a test of its own; the small one signs in, asks who it is and lists the users.
use std::{cell::RefCell, collections::BTreeSet};

use erp_api::rbac::TABLE;
use erp_core::users::UserRole;
use erp_dev::samples;
use reqwest::{Method, multipart};
use serde_json::{Value, json};

use crate::support::{Answer, App, PASSWORD, User};

/// Domain, method and path: every call of `src/lib/api.ts`.
const CALLS: &[(&str, &str, &str)] = &[
    ("auth", "POST", "/auth/login"),
    ("auth", "POST", "/auth/refresh"),
    ("auth", "POST", "/auth/logout"),
    ("auth", "GET", "/auth/me"),
    ("users", "GET", "/users/"),
    ("users", "POST", "/users/"),
    ("users", "PUT", "/users/update"),
    ("users", "DELETE", "/users/{id}"),
    ("techniciens", "GET", "/techniciens/"),
    ("techniciens", "POST", "/techniciens/"),
    ("techniciens", "GET", "/techniciens/competences"),
    ("techniciens", "POST", "/techniciens/competences"),
    ("equipements", "GET", "/equipements/"),
    ("equipements", "POST", "/equipements/"),
    ("equipements", "GET", "/equipements/{id}"),
    ("equipements", "PUT", "/equipements/{id}"),
    ("equipements", "DELETE", "/equipements/{id}"),
    ("interventions", "GET", "/interventions/"),
    ("interventions", "POST", "/interventions/"),
    ("interventions", "GET", "/interventions/{id}"),
    ("interventions", "PUT", "/interventions/{id}"),
    ("interventions", "PATCH", "/interventions/{id}/statut"),
    ("interventions", "GET", "/interventions/{id}/historique"),
    ("interventions", "GET", "/filters/interventions"),
    ("planning", "GET", "/planning/"),
    ("planning", "POST", "/planning/"),
    ("planning", "PATCH", "/planning/{id}/dates"),
    ("documents", "GET", "/documents/"),
    ("documents", "GET", "/documents/{id}"),
    ("documents", "POST", "/documents/upload"),
    ("documents", "DELETE", "/documents/{id}"),
    ("notifications", "GET", "/notifications/user/me"),
    ("notifications", "PUT", "/notifications/{id}/read"),
    ("dashboard", "GET", "/dashboard/stats"),
];

#[test]
fn the_calls_are_thirty_four_and_all_are_routes() {
    assert_eq!(CALLS.len(), 34);
    for (_, method, path) in CALLS {
        let known = |(m, p, _): &(Method, &str, _)| m == method && *p == path.trim_end_matches('/');
        assert!(TABLE.iter().any(known), "{method} {path}");
    }
}

/// A page in a browser, and the calls that it has made of one domain.
struct Page<'a> {
    app: &'a App,
    domain: &'static str,
    made: RefCell<BTreeSet<(String, String)>>,
}

impl<'a> Page<'a> {
    fn of(app: &'a App, domain: &'static str) -> Self {
        Self { app, domain, made: RefCell::default() }
    }

    /// A request to `route`, whose `{id}` is `id` and after which comes `query`, as `user`. The address is put together as the
    /// frontend does it: a base that ends in a slash, and a path that begins with one.
    fn request(
        &self,
        user: Option<&User>,
        (method, route): (&str, &str),
        id: &Value,
        query: &str,
    ) -> reqwest::RequestBuilder {
        let call = (self.domain, method, route);
        assert!(CALLS.contains(&call), "{call:?}");
        self.made.borrow_mut().insert((method.to_owned(), route.to_owned()));
        let path = route.replace("{id}", &id.to_string());
        let base = if id.is_null() { "/" } else { "/api/v1" };
        let request = self.app.request(method.parse().unwrap(), &format!("{base}{path}{query}"));
        match user {
            Some(user) => request.bearer_auth(&user.token),
            None => request,
        }
    }

    async fn get(&self, user: &User, route: &str, id: &Value, query: &str) -> Answer {
        self.app.send(self.request(Some(user), ("GET", route), id, query)).await
    }

    async fn send(
        &self,
        user: &User,
        call: (&str, &str),
        id: &Value,
        query: &str,
        body: Value,
    ) -> Answer {
        let request = self.request(Some(user), call, id, query);
        let request = if body.is_null() { request } else { request.json(&body) };
        self.app.send(request).await
    }

    /// Ends the page, which must have made every call of its domain.
    #[track_caller]
    fn ends_complete(self) {
        let made = self.made.into_inner();
        for (domain, method, route) in CALLS {
            let call = ((*method).to_owned(), (*route).to_owned());
            assert!(*domain != self.domain || made.contains(&call), "{method} {route}");
        }
    }
}

const NONE: Value = Value::Null;

fn form(fields: &[(&'static str, &str)]) -> multipart::Form {
    fields
        .iter()
        .fold(multipart::Form::new(), |form, (name, text)| form.text(*name, (*text).to_owned()))
}

fn has(row: &Value, fields: &[&str]) {
    for field in fields {
        assert!(row.get(field).is_some(), "{field} is missing in {row}");
    }
}

#[tokio::test]
async fn auth() {
    let app = App::new().await;
    let user = app.user(UserRole::Responsable).await;
    let page = Page::of(&app, "auth");
    let login = |password: &str| {
        let fields = form(&[("username", &user.username), ("password", password)]);
        page.request(None, ("POST", "/auth/login"), &NONE, "").multipart(fields)
    };
    let wrong = app.send(login("pas le bon")).await;
    assert!(wrong.body["detail"].is_string(), "the page shows it: {}", wrong.body);
    wrong.expect_error(401, "identifiants_incorrects");
    let before = app.ctx.clock.now();
    let tokens = app.send(login(PASSWORD)).await.expect(200);
    has(&tokens, &["access_token", "refresh_token", "token_type", "expires_in"]);

    let renew = page.request(None, ("POST", "/auth/refresh"), &NONE, "");
    let renewed =
        app.send(renew.json(&json!({"refresh_token": tokens["refresh_token"]}))).await.expect(200);
    let user = User { token: renewed["access_token"].as_str().unwrap().to_owned(), ..user };
    let me = page.get(&user, "/auth/me", &NONE, "").await.expect(200);
    has(&me, &["id", "username", "full_name", "email", "role", "is_active"]);
    let last_login: chrono::DateTime<chrono::Utc> =
        me["last_login"].as_str().unwrap().parse().unwrap();
    assert!(last_login >= before - chrono::Duration::milliseconds(1), "{me}");
    page.send(&user, ("POST", "/auth/logout"), &NONE, "", NONE).await.expect(200);
    page.get(&user, "/auth/me", &NONE, "").await.expect_error(401, "session_terminee");
    page.ends_complete();
}

#[tokio::test]
async fn users() {
    let app = App::new().await;
    let (admin, boss) = (app.user(UserRole::Admin).await, app.user(UserRole::Responsable).await);
    let page = Page::of(&app, "users");
    let create = ("POST", "/users/");
    let new = |password: &str| {
        json!({
            "username": "nadia@conserverie.example", "full_name": "Nadia El Fassi", "email": "n.elfassi@conserverie.example",
            "role": "client", "password": password,
        })
    };
    // A weak password is refused with a sentence that the page can show.
    for (password, said) in [
        ("azertyuiop", "Ce mot de passe est trop facile à deviner"),
        ("court", "Au moins 8 caractères sont attendus."),
    ] {
        let refused = page.send(&admin, create, &NONE, "", new(password)).await.expect(422);
        let message = refused["message"].as_str().unwrap();
        assert!(message.starts_with(said) && message.ends_with('.'), "{message}");
        assert_eq!(message.matches('.').count(), 1, "one sentence: {message}");
        assert!(refused["detail"].is_array(), "{refused}");
    }
    let mut more = new("azertyuiop");
    more["email"] = json!("x");
    let refused = page.send(&admin, create, &NONE, "", more).await.expect(422);
    assert!(refused.get("message").is_none(), "not the password alone: {refused}");
    let made = page.send(&admin, create, &NONE, "", new(PASSWORD)).await.expect(201);
    assert_eq!(made["last_login"], NONE, "nobody has signed in yet");

    let all = page.get(&admin, "/users/", &NONE, "").await.expect(200);
    assert_eq!(all[0]["id"], made["id"], "the newest first");
    has(&all[0], &["username", "email", "role", "is_active", "created_at", "last_login"]);

    // A responsable picks whom to make a technicien; addresses of clients' people are not theirs to see.
    let seen = page.get(&boss, "/users/", &NONE, "").await;
    assert_eq!(seen.header("x-total-count"), "3");
    let text = seen.body.to_string();
    assert!(!text.contains("conserverie.example") && !text.contains("last_login"), "{text}");
    let row = |id: i64| {
        let rows = seen.body.as_array().unwrap().iter();
        rows.clone().find(|row| row["id"] == id).cloned().unwrap()
    };
    let client = row(made["id"].as_i64().unwrap());
    assert_eq!((&client["full_name"], &client["role"]), (&made["full_name"], &made["role"]));
    assert_eq!((&client["is_active"], &client["email"]), (&json!(true), &NONE));
    assert_eq!(
        (&row(admin.id)["email"], &row(admin.id)["username"]),
        (&json!(admin.email), &json!(admin.username))
    );
    let sorted = page.get(&boss, "/users/", &NONE, "?sort=email").await.expect(200);
    assert_eq!(sorted[2]["id"], made["id"], "what is not shown sorts nothing");
    let technicien = app.user(UserRole::Technicien).await;
    page.get(&technicien, "/users/", &NONE, "").await.expect_error(403, "action_interdite");

    let renamed = json!({"full_name": "Salma Idrissi"});
    let renamed = page.send(&boss, ("PUT", "/users/update"), &NONE, "", renamed).await.expect(200);
    assert_eq!(renamed["full_name"], "Salma Idrissi");
    page.send(&admin, ("DELETE", "/users/{id}"), &made["id"], "", NONE).await.expect(204);
    page.ends_complete();
}

#[tokio::test]
async fn the_small_one_signs_in_asks_who_it_is_and_lists_the_users() {
    let app = App::new().await;
    let admin = app.user(UserRole::Admin).await;
    let fields = [("email", admin.email.as_str()), ("password", PASSWORD)];
    let tokens = app.send(app.request(Method::POST, "/auth/token").form(&fields)).await.expect(200);
    let get = async |path: &str| {
        let request = app.request(Method::GET, path);
        app.send(request.bearer_auth(tokens["access_token"].as_str().unwrap())).await.expect(200)
    };
    assert_eq!(get("/auth/me").await["email"], admin.email);
    assert_eq!(get("/users/").await[0]["id"], admin.id);
}

#[tokio::test]
async fn techniciens() {
    let app = App::new().await;
    let (boss, user) =
        (app.user(UserRole::Responsable).await, app.user(UserRole::Technicien).await);
    let page = Page::of(&app, "techniciens");
    let skill = ("POST", "/techniciens/competences");
    let skill = page.send(&boss, skill, &NONE, "", json!({"nom": "Hydraulique"})).await.expect(200);
    let skills = page.get(&boss, "/techniciens/competences", &NONE, "").await.expect(200);
    assert_eq!(skills, json!([skill]));
    let new = json!({
        "user_id": user.id, "equipe": "Mécanique A", "disponibilite": "Disponible", "competences_ids": [skill["id"]],
    });
    let made = page.send(&boss, ("POST", "/techniciens/"), &NONE, "", new).await.expect(200);
    assert_eq!(
        (&made["user"]["id"], &made["disponibilite"]),
        (&json!(user.id), &json!("disponible"))
    );
    let list = page.get(&user, "/techniciens/", &NONE, "").await.expect(200);
    has(&list[0], &["id", "equipe", "disponibilite", "competences"]);
    has(&list[0]["user"], &["full_name", "email"]);
    page.ends_complete();
}

#[tokio::test]
async fn equipements() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let page = Page::of(&app, "equipements");
    let create = ("POST", "/equipements/");
    let mut ids = Vec::new();
    for (label, days) in [
        ("hebdomadaire", "7"),
        ("bimensuelle", "15"),
        ("mensuel", "30"),
        ("trimestrielle", "90"),
        ("semestriel", "180"),
        ("annuelle", "365"),
        ("45", "45"),
    ] {
        let new = json!({
            "nom": format!("Pompe {label}"), "type": "Pompe", "localisation": "Safi", "frequence_entretien": label,
        });
        let made = page.send(&boss, create, &NONE, "", new).await.expect(200);
        assert_eq!(made["frequence_entretien"], days, "{label}");
        ids.push(made["id"].clone());
    }
    let list = page.get(&boss, "/equipements/", &NONE, "").await;
    assert_eq!((&list.body[0]["id"], list.header("x-total-count")), (&ids[6], "7"));
    let shown = page.get(&boss, "/equipements/{id}", &ids[0], "").await.expect(200);
    has(&shown, &["nom", "type", "localisation", "frequence_entretien", "statut", "criticite"]);
    let edit = json!({"nom": "Pompe P-101", "type": "Pompe", "localisation": "Jorf Lasfar", "frequence_entretien": "30"});
    let edited =
        page.send(&boss, ("PUT", "/equipements/{id}"), &ids[0], "", edit).await.expect(200);
    assert_eq!(edited["localisation"], "Jorf Lasfar");
    let gone =
        page.send(&boss, ("DELETE", "/equipements/{id}"), &ids[0], "", NONE).await.expect(200);
    assert!(gone["detail"].is_string());
    page.ends_complete();
}

#[tokio::test]
async fn interventions() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let (technicien, technicien_id) = app.technicien().await;
    app.put(&boss, &format!("/techniciens/{technicien_id}"), json!({"equipe": "Mécanique A"}))
        .await
        .expect(200);
    let client = json!({"nom_entreprise": "Conserverie de Safi", "type_client": "entreprise"});
    let client = app.post(&boss, "/clients", client).await.expect(201);
    let machine = json!({"nom": "Pompe P-101", "type": "Pompe", "localisation": "Quai 4", "client_id": client["id"]});
    let machine = app.post(&boss, "/equipements", machine).await.expect(200);
    let page = Page::of(&app, "interventions");

    let new = json!({
        "titre": "Fuite à la garniture", "type": "corrective", "equipement_id": machine["id"], "priorite": "haute",
        "description": "Débit en baisse", "technicien_id": technicien_id, "date_limite": "2031-11-30", "cout_estime": 80_005,
    });
    let made = page.send(&boss, ("POST", "/interventions/"), &NONE, "", new).await.expect(200);
    let id = &made["id"];
    let names = |row: &Value| {
        assert_eq!(
            row["equipement"],
            json!({"id": machine["id"], "nom": "Pompe P-101", "localisation": "Quai 4"})
        );
        assert_eq!(
            row["client"],
            json!({"id": client["id"], "nom_entreprise": "Conserverie de Safi"})
        );
        assert_eq!(row["technicien"]["id"], technicien_id);
        assert_eq!(row["technicien"]["equipe"], "Mécanique A");
        assert!(row["technicien"]["full_name"].as_str().unwrap().starts_with("Salma technicien"));
        assert_eq!(
            (&row["cout_estime"], &row["cout_estime_mad"]),
            (&json!(80_005), &json!("800.05"))
        );
    };
    names(&made);
    assert_eq!((&made["cout_reel"], &made["cout_reel_mad"]), (&json!(0), &json!("0.00")));

    let edit = json!({"titre": "Fuite au presse-étoupe", "cout_pieces": 20_030, "cout_main_oeuvre": 8_800});
    let edited = page.send(&boss, ("PUT", "/interventions/{id}"), id, "", edit).await.expect(200);
    names(&edited);
    assert_eq!(
        (&edited["cout_reel"], &edited["cout_reel_mad"]),
        (&json!(28_830), &json!("288.30"))
    );
    assert_eq!(
        (&edited["cout_pieces_mad"], &edited["cout_main_oeuvre_mad"]),
        (&json!("200.30"), &json!("88.00"))
    );
    for list in ["/interventions/", "/filters/interventions"] {
        let rows = page.get(&technicien, list, &NONE, "").await.expect(200);
        assert_eq!(rows[0], edited, "{list}");
    }
    let one = page.get(&technicien, "/interventions/{id}", id, "").await.expect(200);
    assert_eq!(one, edited);
    let to = "?statut=en_cours&remarque=Sur%20place";
    let step = ("PATCH", "/interventions/{id}/statut");
    let moved = page.send(&technicien, step, id, to, NONE).await.expect(200);
    assert_eq!(moved["statut"], "en_cours");
    names(&moved);
    let lines = page.get(&technicien, "/interventions/{id}/historique", id, "").await.expect(200);
    assert_eq!(
        (&lines[0]["statut"], &lines[0]["remarque"]),
        (&json!("en_cours"), &json!("Sur place"))
    );
    has(&lines[0]["user"], &["full_name"]);

    // Nobody has it, and it is nobody's machine.
    let free = app.intervention(&boss).await;
    let free = page.get(&boss, "/interventions/{id}", &json!(free), "").await.expect(200);
    assert_eq!((&free["technicien"], &free["client"]), (&NONE, &NONE));
    assert_eq!((&free["cout_estime"], &free["cout_estime_mad"]), (&NONE, &NONE));
    let found = page.get(&boss, "/filters/interventions", &NONE, "?statut=ouverte&q=garniture");
    assert_eq!(found.await.expect(200), json!([free]));
    page.ends_complete();
}

#[tokio::test]
async fn a_list_without_a_limit_shows_all_that_the_browser_filters_the_newest_first() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let machine = json!({"nom": "Pompe P-101", "type": "Pompe", "localisation": "Quai 4"});
    let machine = app.post(&boss, "/equipements", machine).await.expect(200);
    let page = Page::of(&app, "interventions");
    for n in 1..=64 {
        let new = json!({"titre": format!("Ronde {n}"), "type": "preventive", "equipement_id": machine["id"]});
        page.send(&boss, ("POST", "/interventions/"), &NONE, "", new).await.expect(200);
    }
    let answer = page.get(&boss, "/interventions/", &NONE, "").await;
    assert_eq!(answer.header("x-total-count"), "64");
    let rows = answer.expect(200);
    let titres: Vec<_> = rows.as_array().unwrap().iter().map(|row| row["titre"].clone()).collect();
    let newest_first: Vec<_> = (1..=64).rev().map(|n| json!(format!("Ronde {n}"))).collect();
    assert_eq!(titres, newest_first);
}

#[tokio::test]
async fn plannings() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let machine = app.equipement(&boss).await;
    let page = Page::of(&app, "planning");
    let mut newest = NONE;
    for (sent, shown) in [
        ("daily", "journalier"),
        ("weekly", "hebdomadaire"),
        ("monthly", "mensuelle"),
        ("quarterly", "trimestrielle"),
        ("semiannual", "semestrielle"),
        ("yearly", "annuelle"),
        ("mensuelle", "mensuelle"),
    ] {
        let new =
            json!({"frequence": sent, "equipement_id": machine, "prochaine_date": "2031-03-01"});
        newest = page.send(&boss, ("POST", "/planning/"), &NONE, "", new).await.expect(201);
        assert_eq!(newest["frequence"], shown, "{sent}");
    }
    let list = page.get(&boss, "/planning/", &NONE, "").await.expect(200);
    assert_eq!(list[0], newest);
    let (dates, to) = (("PATCH", "/planning/{id}/dates"), "?nouvelle_date=2031-04-02");
    let moved = page.send(&boss, dates, &newest["id"], to, NONE).await.expect(200);
    assert_eq!(moved["prochaine_date"], "2031-04-02T00:00:00Z");
    assert_eq!(moved["derniere_date"], newest["prochaine_date"]);
    page.ends_complete();
}

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

    // A technicien lists them all, as interventions.
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

    // Its uploader or a responsable says what it shows.
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

#[tokio::test]
async fn notifications() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    let (technicien, technicien_id) = app.technicien().await;
    let id = app.intervention(&boss).await;
    let to = json!({"technicien_id": technicien_id});
    app.patch(&boss, &format!("/interventions/{id}/affectation"), to).await.expect(200);
    app.run_jobs().await;
    let page = Page::of(&app, "notifications");
    let list = page.get(&technicien, "/notifications/user/me", &NONE, "").await.expect(200);
    has(&list[0], &["type", "canal", "contenu", "date_envoi", "intervention_id", "read"]);
    assert_eq!((&list[0]["type"], &list[0]["read"]), (&json!("affectation"), &json!(false)));
    let read = ("PUT", "/notifications/{id}/read");
    let told = page.send(&technicien, read, &list[0]["id"], "", NONE).await.expect(200);
    assert!(told["message"].is_string());
    let unread = page.get(&technicien, "/notifications/user/me", &NONE, "?unread=true").await;
    assert_eq!(unread.expect(200), json!([]));
    page.ends_complete();
}

#[tokio::test]
async fn dashboard() {
    let app = App::new().await;
    let boss = app.user(UserRole::Responsable).await;
    app.intervention(&boss).await;
    let page = Page::of(&app, "dashboard");
    let stats = page.get(&boss, "/dashboard/stats", &NONE, "").await.expect(200);
    has(
        &stats,
        &["taux_resolution", "evolution_mensuelle", "priorites", "equipements", "mttr_heures"],
    );
    assert_eq!(stats["interventions"]["ouverte"], 1);
    assert_eq!(stats["evolution_mensuelle"].as_array().unwrap().len(), 6);
    page.ends_complete();
}
