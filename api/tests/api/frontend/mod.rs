//! The calls of the two frontends, with their encodings, roles and the fields that their pages read. The React frontend makes
//! all of [`CALLS`], each domain in a test of its own; the small one signs in, reads its own account and lists the users.
mod comptes;
mod documents;
mod interventions;
mod parc;

use std::{cell::RefCell, collections::BTreeSet};

use erp_api::rbac::TABLE;
use reqwest::{Method, multipart};
use serde_json::Value;

use crate::support::{Answer, App, User};

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

/// A page of the frontend, and the calls of one domain that it has made.
struct Page<'a> {
    app: &'a App,
    domain: &'static str,
    made: RefCell<BTreeSet<(String, String)>>,
}

impl<'a> Page<'a> {
    fn of(app: &'a App, domain: &'static str) -> Self {
        Self { app, domain, made: RefCell::default() }
    }

    /// A request by `user` to `route`, with `id` for `{id}` and with `query` appended. The address is built as the
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

    /// Asserts that the page has made every call of its domain.
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
