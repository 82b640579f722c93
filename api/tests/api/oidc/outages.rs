//! A provider that is away, slow, or answers what no provider should; and none at all.
use chrono::TimeDelta;
use erp_core::users::UserRole;
use reqwest::Method;

use super::{
    CALLBACK, START,
    provider::{Manner, Signs},
    system,
};
use crate::support::App;

#[tokio::test]
async fn a_provider_that_is_away_or_behaves_badly_holds_nobody_up() {
    let (mut app, provider) = system(&[]).await;
    let user = app.user(UserRole::Responsable).await;
    provider.person("responsable-1", &user.email);
    let clock = app.ctx.clock.clone();
    let start =
        async |app: &App| app.shown(app.request(Method::GET, &format!("{START}frontend"))).await;
    for manner in [Manner::Badly, Manner::Hugely, Manner::Elsewhere] {
        provider.set(|play| play.discovery = manner);
        let page = start(&app).await.expect(503);
        assert!(page.contains("mot de passe") && page.contains("https://erp.example"), "{page}");
        // It is left alone for a moment, in which nobody waits.
        provider.set(|play| play.discovery = Manner::Well);
        start(&app).await.expect(503);
        clock.set(clock.now() + TimeDelta::seconds(5));
    }
    let [first, second, third] = [
        app.journey("frontend", "").await,
        app.journey("frontend", "").await,
        app.journey("frontend", "").await,
    ];
    assert_eq!(provider.set(|play| play.keys_read), 1, "what it says of itself is kept");
    provider.set(|play| play.token = Manner::Badly);
    app.come_back(&first).await.expect(503);
    provider.set(|play| play.token = Manner::Hugely);
    app.come_back(&second).await.expect(503);
    provider.set(|play| play.token = Manner::Never);
    app.come_back(&third).await.expect(503);
    provider.set(|play| play.token = Manner::Well);

    // A new key is read when a token has it, at most once a minute.
    provider.set(|play| play.signs = Signs::Ed);
    app.by_company("frontend").await.expect(401);
    assert_eq!(provider.set(|play| play.keys_read), 1);
    clock.set(clock.now() + TimeDelta::minutes(1));
    app.exchange(&app.secret().await).await.expect(200);
    app.exchange(&app.secret().await).await.expect(200);
    assert_eq!(provider.set(|play| play.keys_read), 2);

    // Without a provider there is no such way.
    app.ctx.oidc = None;
    let url = app.replica().await;
    for path in [START, CALLBACK] {
        let shown = app.shown(app.client.get(format!("{url}{path}"))).await;
        assert_eq!(shown.header("content-type"), "text/html; charset=utf-8");
        shown.expect(404);
    }
    let page = app.shown(app.client.get(format!("{url}/console/connexion"))).await.expect(200);
    assert!(!page.contains("oidc"), "{page}");
}
