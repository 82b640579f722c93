//! Signing in at the provider of the company: to the pages and to the application, and everything that is refused on the way.
mod outages;
mod provider;
mod refusals;

use chrono::TimeDelta;
use erp_core::{Clock, users::UserRole};
use reqwest::{
    Method,
    header::{COOKIE, SET_COOKIE},
};
use serde_json::{Value, json};

use self::provider::{CLIENT_ID, CLIENT_SECRET, Provider};
use crate::{
    console::Shown,
    second_facteur::{appareils::trust, enrol},
    support::{Answer, App, PASSWORD, User},
};

const START: &str = "/api/v1/auth/oidc/start?suite=";
const CALLBACK: &str = "/api/v1/auth/oidc/callback?";

/// A system whose time stands still, and its provider.
async fn system(settings: &[(&str, &str)]) -> (App, Provider) {
    let clock = Clock::stopped_at(Clock::default().now());
    let provider = Provider::start(clock.clone()).await;
    let own = [
        // A provider without TLS.
        ("ENVIRONMENT", "dev"),
        ("OIDC_ISSUER", provider.url.as_str()),
        ("OIDC_CLIENT_ID", CLIENT_ID),
        ("OIDC_CLIENT_SECRET", CLIENT_SECRET),
        ("OIDC_LABEL", "MIF <Maroc>"),
    ];
    (App::at(clock, &[&own[..], settings].concat()).await, provider)
}

/// A sign-in that has come back from the provider: the callback, and the cookie of its browser.
struct Journey {
    callback: String,
    cookie: String,
}

impl App {
    /// Begins, signs in at the provider, and comes back.
    async fn journey(&self, suite: &str, device: &str) -> Journey {
        let started = self.request(Method::GET, &format!("{START}{suite}")).header(COOKIE, device);
        let started = self.shown(started).await;
        assert_eq!(started.status, 302, "{}", started.html);
        let cookie = started.header(SET_COOKIE.as_str());
        let (pair, rest) = cookie.split_once(';').unwrap();
        assert!(pair.starts_with("__Host-entreprise="), "{cookie}");
        assert_eq!(rest, " Path=/; Max-Age=600; HttpOnly; Secure; SameSite=Lax");
        let back = self.shown(self.client.get(started.location())).await;
        let back = back.location();
        let callback = back.strip_prefix("https://erp.example").unwrap().to_owned();
        assert!(callback.starts_with(CALLBACK), "{callback}");
        Journey { callback, cookie: pair.to_owned() }
    }

    async fn come_back(&self, journey: &Journey) -> Shown {
        let request = self.request(Method::GET, &journey.callback);
        self.shown(request.header(COOKIE, &journey.cookie)).await
    }

    /// All the way to `suite`.
    async fn by_company(&self, suite: &str) -> Shown {
        self.come_back(&self.journey(suite, "").await).await
    }

    /// All the way to the application; what it exchanges.
    async fn secret(&self) -> String {
        let shown = self.by_company("frontend").await;
        assert_eq!(shown.status, 302, "{}", shown.html);
        shown.location().strip_prefix("https://erp.example/#connexion=").unwrap().to_owned()
    }

    async fn exchange(&self, secret: &str) -> Answer {
        let form = [("jeton", secret)];
        self.send(self.request(Method::POST, "/api/v1/auth/link").form(&form)).await
    }

    /// Whose account an exchange gives.
    async fn who(&self, tokens: &Value) -> Value {
        let token = tokens["access_token"].as_str().unwrap();
        let me = self.request(Method::GET, "/api/v1/auth/me").bearer_auth(token);
        self.send(me).await.expect(200)
    }

    /// The actions and what was recorded with them, the last first.
    async fn acts(&self, admin: &User) -> Vec<(String, Value)> {
        let lines = self.get(admin, "/admin/audit?limit=100").await.expect(200);
        let line =
            |line: &Value| (line["action"].as_str().unwrap().to_owned(), line["apres"].clone());
        lines.as_array().unwrap().iter().map(line).collect()
    }
}

/// The cookies that an answer gives: name, value, and what else it says.
fn cookies(shown: &Shown) -> Vec<&str> {
    shown.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn whom_the_provider_vouches_for_comes_to_the_pages_and_to_the_application() {
    let (app, provider) = system(&[]).await;
    let admin = app.user_with(UserRole::Admin, json!({ "email": "Salma@mif.example" })).await;
    let page = app.shown(app.request(Method::GET, "/console/connexion?vers=/console/taches")).await;
    let page = page.expect(200);
    let button = r#"<a class="bouton" href="/api/v1/auth/oidc/start?suite=%2Fconsole%2Ftaches">Se connecter avec MIF &lt;Maroc&gt;</a>"#;
    assert!(page.contains(button), "{page}");

    // To a page: the address is found in any case.
    provider.person("salma-1", "salma@MIF.example");
    let journey = app.journey("/console/taches", "").await;
    let shown = app.come_back(&journey).await;
    let given = cookies(&shown);
    assert!(
        given.iter().any(|cookie| cookie.starts_with("__Host-entreprise=; Path=/; Max-Age=0;"))
    );
    let session = given.iter().find(|cookie| cookie.starts_with("__Host-console=")).unwrap();
    assert!(session.ends_with("; HttpOnly; Secure; SameSite=Strict"), "{session}");
    let session = session.split(';').next().unwrap().to_owned();
    assert_eq!(shown.header("referrer-policy"), "no-referrer");
    let page = shown.expect(200);
    assert!(page.contains(r#"content="0;url=/console/taches""#), "{page}");
    let tasks = app.request(Method::GET, "/console/taches").header(COOKIE, &session);
    assert!(app.shown(tasks).await.expect(200).contains("/console/deconnexion"));
    // The same answer again, and in another browser.
    for again in [journey.cookie.as_str(), "", "__Host-entreprise=AAAA"] {
        let journey = Journey { callback: journey.callback.clone(), cookie: again.to_owned() };
        let shown = app.come_back(&journey).await;
        assert!(!cookies(&shown).iter().any(|cookie| cookie.starts_with("__Host-console")));
        assert!(shown.expect(401).contains("/console/connexion"));
    }
    // Nobody is led out of the pages.
    let page = app.by_company("https://evil.example").await.expect(200);
    assert!(page.contains(r#"content="0;url=/console""#), "{page}");

    // To the application, by a secret that no server logs, good once and for a minute.
    let secret = app.secret().await;
    let tokens = app.exchange(&secret).await.expect(200);
    assert_eq!(app.who(&tokens).await["id"], admin.id);
    app.exchange(&secret).await.expect_error(401, "session_terminee");
    let late = app.secret().await;
    app.ctx.clock.set(app.ctx.clock.now() + TimeDelta::seconds(60));
    app.exchange(&late).await.expect_error(401, "session_terminee");

    // From then on it is the person who counts, not the address: neither one that the provider changes, nor that of somebody else.
    let other = app.user(UserRole::Technicien).await;
    provider.person("salma-1", &other.email);
    let tokens = app.exchange(&app.secret().await).await.expect(200);
    assert_eq!(app.who(&tokens).await["id"], admin.id);
    provider.person("somebody-else", "salma@mif.example");
    assert!(app.by_company("frontend").await.expect(403).contains("https://erp.example"));
    // Until an admin has unlinked the account, or given it another address.
    let path = format!("/users/{}/identite", admin.id);
    app.call(&admin, Method::DELETE, &path, None).await.expect(204);
    app.call(&admin, Method::DELETE, &path, None).await.expect_error(404, "identite_introuvable");
    let tokens = app.exchange(&app.secret().await).await.expect(200);
    assert_eq!(app.who(&tokens).await["id"], admin.id);
    let path = format!("/users/{}", other.id);
    provider.person("technicien-1", &other.email);
    app.secret().await;
    let edit = json!({ "email": "nouveau@mif.example" });
    app.call(&admin, Method::PUT, &path, Some(edit)).await.expect(200);
    app.by_company("frontend").await.expect(403);
    provider.person("technicien-2", "nouveau@mif.example");
    let secret = app.secret().await;
    app.call(&admin, Method::DELETE, &path, None).await.expect(204);
    app.exchange(&secret).await.expect_error(401, "session_terminee");
    app.by_company("frontend").await.expect(403);

    let acts = app.acts(&admin).await;
    let count = |name: &str| acts.iter().filter(|(act, _)| act == name).count();
    assert_eq!((count("identite_rattachee"), count("identite_oubliee")), (4, 1), "{acts:?}");
    let motifs: Vec<_> = acts.iter().filter(|(act, _)| act == "connexion_refusee").collect();
    let motifs: Vec<_> = motifs.iter().map(|(_, after)| after["motif"].as_str().unwrap()).collect();
    let expected = ["compte_desactive", "compte_inconnu", "autre_identite", "etat", "code"];
    assert_eq!(motifs, expected);
    let linked = acts.iter().find(|(act, _)| act == "identite_rattachee").unwrap();
    assert_eq!(linked.1, json!({ "emetteur": provider.url, "sujet": "technicien-2" }));
}

#[tokio::test]
async fn who_has_no_account_gets_one_where_a_role_is_set_and_the_second_factor_is_asked_for() {
    let (app, provider) = system(&[("OIDC_CREATE_ROLE", "technicien")]).await;
    let admin = app.user(UserRole::Admin).await;
    provider.person("salma-1", "salma.bennani@mif.example");
    let tokens = app.exchange(&app.secret().await).await.expect(200);
    let made = app.who(&tokens).await;
    // Two first sign-ins at once are both good.
    provider.person("hind-1", "hind@mif.example");
    let [one, other] = [app.journey("frontend", "").await, app.journey("frontend", "").await];
    let both = tokio::join!(app.come_back(&one), app.come_back(&other));
    both.0.expect(302);
    both.1.expect(302);
    // Somebody is called as this address: the account gets another username.
    app.user_with(UserRole::Technicien, json!({"username": "omar@mif.example"})).await;
    provider.person("omar-1", "omar@mif.example");
    let omar = app.exchange(&app.secret().await).await.expect(200);
    let omar = app.who(&omar).await;
    assert!(omar["username"].as_str().unwrap().starts_with("omar@mif.example-"), "{omar}");
    // Who has come without a password is not invited: a responsable neither moves nor disables the account.
    let boss = app.user(UserRole::Responsable).await;
    let resend = format!("/users/invitations/{}/renvoyer", omar["id"]);
    let elsewhere = json!({"email": boss.email.replace('@', "+omar@")});
    app.post(&boss, &resend, elsewhere).await.expect_error(404, "invitation_introuvable");
    let link = app.post(&admin, &resend, json!({})).await;
    link.expect(200);
    let revoke = format!("/users/invitations/{}", omar["id"]);
    app.delete(&boss, &revoke).await.expect_error(404, "invitation_introuvable");
    app.delete(&admin, &revoke).await.expect(204);
    let expected = json!(["salma.bennani@mif.example", "Salma Bennani", "technicien", "en"]);
    assert_eq!(
        json!([made["username"], made["full_name"], made["role"], made["langue"]]),
        expected
    );
    assert!(
        app.acts(&admin)
            .await
            .iter()
            .any(|(act, after)| act == "compte_cree" && after["par"] == "entreprise")
    );
    // It has no password, and its owner may choose one: the provider has verified the address.
    let login = [("username", "salma.bennani@mif.example"), ("password", PASSWORD)];
    let login = || app.send(app.request(Method::POST, "/api/v1/auth/login").form(&login));
    login().await.expect_error(401, "identifiants_incorrects");
    let forgotten = [("email", "salma.bennani@mif.example")];
    app.send(app.request(Method::POST, "/auth/forgot").form(&forgotten)).await.expect(202);
    app.run_jobs().await;
    let mail = app.mails().pop().unwrap();
    assert_eq!(mail.to, ["salma.bennani@mif.example"]);
    let text = mail.text.unwrap();
    let path = &text[text.find("/api/v1/compte/mot-de-passe?jeton=").unwrap()..];
    let path = path.split_whitespace().next().unwrap();
    let form = [("password", PASSWORD), ("encore", PASSWORD)];
    app.shown(app.request(Method::POST, path).form(&form)).await.expect(200);
    login().await.expect(200);

    // Who is invited has come by it.
    let guest = json!({
        "username": "halaoui", "full_name": "Hicham Alaoui", "email": "h.alaoui@mif.example", "role": "responsable",
    });
    let id = app.post(&admin, "/users/invitations", guest).await.expect(201)["id"].clone();
    provider.person("hicham-1", "h.alaoui@mif.example");
    let tokens = app.exchange(&app.secret().await).await.expect(200);
    assert_eq!(app.who(&tokens).await["id"], id);
    assert_eq!(app.get(&admin, "/users/invitations").await.expect(200), json!([]));
    app.run_jobs().await;

    // A code of the own second factor is asked for, but on a trusted device.
    provider.person("admin-1", &admin.email);
    let (phone, codes) = enrol(&app, &admin).await;
    let device = trust(&app, &admin, &phone).await["appareil"].as_str().unwrap().to_owned();
    let secret = app.secret().await;
    let asked = app.exchange(&secret).await;
    assert!(asked.body["defi"].is_string(), "{}", asked.body);
    asked.expect_error(401, "second_facteur_requis");
    app.exchange(&secret).await.expect_error(401, "session_terminee");
    let form = [("jeton", app.secret().await), ("appareil", device.clone())];
    app.send(app.request(Method::POST, "/auth/link").form(&form)).await.expect(200);
    let page = app.by_company("/compte").await.expect(200);
    let (_, defi) = page.split_once(r#"name="defi" value=""#).unwrap();
    let form = [
        ("defi", defi.split('"').next().unwrap()),
        ("code", codes[0].as_str()),
        ("vers", "/compte"),
    ];
    let shown = app.request(Method::POST, "/console/second-facteur").form(&form);
    assert_eq!(app.shown(shown).await.location(), "/compte");
    let journey = app.journey("/compte", &format!("__Host-appareil={device}")).await;
    let page = app.come_back(&journey).await.expect(200);
    assert!(page.contains(r#"content="0;url=/compte""#), "{page}");
    app.run_jobs().await;
}
