//! No answer of the provider signs anybody in that is not one to this browser, for us, signed, in time, about a known person.
use chrono::TimeDelta;
use erp_core::users::UserRole;
use serde_json::{Value, json};

use super::{Journey, provider::Signs, system};

#[tokio::test]
async fn no_answer_that_cannot_be_trusted_signs_anybody_in() {
    let (app, provider) = system(&[]).await;
    let admin = app.user(UserRole::Admin).await;
    app.user_with(UserRole::Client, json!({"email": "karim@mif.example"})).await;
    provider.person("admin-1", &admin.email);
    let good = provider.set(|play| play.claims.clone());
    let with = |more: Value| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        claims
    };
    let mut expected = Vec::new();
    let now = app.ctx.clock.now().timestamp();
    for (claims, motif) in [
        (json!({ "nonce": "of another sign-in" }), "jeton_sans_demande"),
        (json!({ "nonce": null }), "jeton_sans_demande"),
        (json!({ "aud": "another" }), "jeton_d_un_autre"),
        (json!({ "aud": ["erp-mif", "another"] }), "jeton_d_un_autre"),
        (json!({ "iss": "https://evil.example" }), "jeton_d_ailleurs"),
        (json!({ "exp": now }), "jeton_expire"),
    ] {
        provider.set(|play| play.claims = with(claims));
        app.by_company("frontend").await.expect(401);
        expected.push(motif);
    }
    provider.set(|play| play.claims = good.clone());
    for signs in [Signs::Stranger, Signs::Secret, Signs::Nothing] {
        provider.set(|play| play.signs = signs);
        app.by_company("frontend").await.expect(401);
        expected.push("jeton_mal_signe");
    }
    provider.set(|play| play.signs = Signs::Rsa);

    // The answer to another question, or none.
    let [one, other] = [app.journey("frontend", "").await, app.journey("frontend", "").await];
    let mixed = Journey { callback: one.callback.clone(), cookie: other.cookie.clone() };
    app.come_back(&mixed).await.expect(401);
    let (path, _) = one.callback.split_once('?').unwrap();
    let (_, state) = one.callback.split_once("&state=").unwrap();
    let state = state.split('&').next().unwrap();
    for (query, motif) in [
        ("error=access_denied&error_description=%3Cscript%3E", "annulee"),
        ("error=server_error", "fournisseur"),
        ("code=guessed", "code"),
        ("", "etat"),
    ] {
        let callback = format!("{path}?state={state}&{query}");
        let shown = app.come_back(&Journey { callback, cookie: one.cookie.clone() }).await;
        assert!(!shown.expect(401).contains("script"), "{query}");
        expected.push(motif);
    }
    expected.insert(expected.len() - 4, "etat");
    // A browser that waits too long; then an old answer with its own cookie.
    let journey = app.journey("frontend", "").await;
    app.ctx.clock.set(app.ctx.clock.now() + TimeDelta::minutes(10));
    app.come_back(&journey).await.expect(401);
    expected.push("etat");

    for (claims, motif) in [
        (json!({ "email_verified": false }), "email_non_verifie"),
        (json!({ "email_verified": null }), "email_non_verifie"),
        (json!({ "email": null }), "email_non_verifie"),
        (json!({ "email": "nobody@mif.example" }), "compte_inconnu"),
        // A Kelvin sign is a `k` for who compares without case.
        (json!({ "email": "\u{212a}arim@mif.example" }), "compte_inconnu"),
    ] {
        provider.set(|play| play.claims = with(claims));
        app.by_company("frontend").await.expect(403);
        expected.push(motif);
    }
    provider.set(|play| play.claims = good.clone());
    // As a text, as some providers say it.
    provider.set(|play| play.claims = with(json!({ "email_verified": "true" })));
    app.exchange(&app.secret().await).await.expect(200);
    // Whoever opens the address of the way back has tried nothing: no line of the audit.
    let opened = app.shown(app.request(reqwest::Method::GET, &one.callback)).await;
    opened.expect(401);

    let acts = app.acts(&admin).await;
    let motifs = acts.iter().rev().filter(|(act, _)| act == "connexion_refusee");
    let motifs: Vec<_> = motifs.map(|(_, after)| after["motif"].as_str().unwrap()).collect();
    assert_eq!(motifs, expected);
    assert_eq!(acts.iter().filter(|(act, _)| act == "connexion_entreprise").count(), 1);
}
