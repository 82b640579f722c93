//! The table of roles, tested by requests: every route with every role, and without a token.
use erp_api::rbac::{Access, TABLE};
use erp_core::users::UserRole;
use reqwest::Method;

use crate::support::App;

#[tokio::test]
async fn every_route_lets_in_whom_the_table_names_and_nobody_else() {
    let app = App::new().await;
    let roles = [UserRole::Admin, UserRole::Responsable, UserRole::Technicien, UserRole::Client];
    let mut refused = 0;
    for (method, path, access) in TABLE {
        let path = path
            .replace("{id}", "999999")
            .replace("{user_id}", "999999")
            .replace("{name}", "none")
            .replace("{file}", "x.png");
        let request =
            || app.request(Method::from_bytes(method.as_str().as_bytes()).unwrap(), &path);

        let nobody = app.send(request()).await.status.as_u16();
        let open = matches!(access, Access::Anyone);
        assert_eq!(nobody == 401, !open, "{method} {path}: {nobody}");

        for role in roles {
            let user = app.user(role).await;
            let status = app.send(request().bearer_auth(&user.token)).await.status.as_u16();
            let may = match access {
                Access::Roles(allowed) => allowed.contains(&role),
                _ => true,
            };
            assert_eq!(status == 403, !may, "{method} {path} as {role}: {status}");
            assert!(status < 500, "{method} {path} as {role}: {status}");
            refused += u32::from(!may);
        }
    }
    assert!(refused > 40, "{refused} refusals seen");
}

#[tokio::test]
async fn equipment_is_public_only_where_the_operator_says_so() {
    let app = App::with(&[("PUBLIC_EQUIPEMENTS", "true")]).await;
    app.send(app.request(Method::GET, "/equipements")).await.expect(200);
    app.send(app.request(Method::GET, "/equipements/999999")).await.expect(404);
    app.send(app.request(Method::GET, "/interventions")).await.expect(401);
}
