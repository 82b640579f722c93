//! The OpenAPI 3.1 document, generated from the routes, and the pages that show it.
//!
//! Each part has one source: paths and answers come from annotations of the handlers, the fields of requests from their
//! parsers ([`inputs`]), who may call from the table of roles ([`crate::rbac`]); what all routes have in common (errors,
//! headers, examples) is added here.
mod errors;
mod examples;
mod headers;
mod inputs;
mod links;
mod operations;
mod pages;
mod refusals;

use axum::{
    Json, Router,
    http::{HeaderValue, header},
    middleware::from_fn_with_state,
    routing::get,
};
use erp_core::Ctx;
use serde_json::{Value, json};
use tower_http::set_header::SetResponseHeaderLayer;
use utoipa::openapi::{OpenApi, OpenApiBuilder};

use crate::layers;
pub use refusals::Refusals;

/// The document of `routes`. It has them below `/api/v1` only, although the API serves them at the root, too.
pub fn document(routes: OpenApi) -> Value {
    let document = OpenApiBuilder::new().build().nest("/api/v1", routes);
    let mut document = serde_json::to_value(document).unwrap_or_default();
    describe(&mut document);
    // The root of the API is documented without its final slash.
    if let Some(paths) = document["paths"].as_object_mut()
        && let Some(root) = paths.remove("/api/v1/")
    {
        paths.insert("/api/v1".to_owned(), root);
    }
    document["components"]["securitySchemes"] = security_schemes();
    errors::add_schemas(&mut document["components"]["schemas"]);
    loosen(&mut document["components"]["schemas"]);
    operations::complete(&mut document);
    links::add(&mut document);
    examples::add(&mut document);
    document
}

/// Turns `oneOf` named types into `anyOf`: a value may match several of them (a whole account also matches an overview of it).
fn loosen(schemas: &mut Value) {
    for schema in schemas.as_object_mut().into_iter().flat_map(|all| all.values_mut()) {
        let Some(schema) = schema.as_object_mut() else { continue };
        let named = |choices: &Value| {
            choices.as_array().is_some_and(|all| all.iter().all(|one| one["$ref"].is_string()))
        };
        if schema.get("oneOf").is_some_and(named)
            && let Some(choices) = schema.remove("oneOf")
        {
            schema.insert("anyOf".to_owned(), choices);
        }
    }
}

/// The routes `/openapi.json` (also `/openapi.generated.json`, the old backend's name for the generated document), `/docs` and
/// `/redoc`. With `DOCS_PUBLIC=false` only signed-in users may read them, and no cache keeps them.
pub fn pages(document: Value, ctx: &Ctx) -> Router<Ctx> {
    let json = Json(document);
    let document = get(move || async move { json });
    let all = Router::new()
        .route("/openapi.json", document.clone())
        .route("/openapi.generated.json", document)
        .merge(pages::pages());
    if ctx.config.http.docs_public {
        return all;
    }
    let no_store = HeaderValue::from_static("no-store");
    all.layer(SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, no_store))
        .layer(from_fn_with_state(layers::Entrance::new(ctx), layers::signed_in))
}

fn describe(document: &mut Value) {
    document["info"] = json!({
        "title": "ERP MIF Maroc",
        "version": env!("CARGO_PKG_VERSION"),
        "description": DESCRIPTION,
        "license": { "name": "Proprietary", "url": "https://mif-maroc.example/licence" },
    });
    document["servers"] = json!([{ "url": "/", "description": "This server" }]);
    let tag =
        |(name, description): &(&str, &str)| json!({ "name": name, "description": description });
    document["tags"] = crate::routes::TAGS.iter().map(tag).collect();
}

const DESCRIPTION: &str = "Maintenance management (GMAO / CMMS): interventions, equipment, technicians, preventive \
maintenance, documents, notifications.

* **Addresses.** Every route is below `/api/v1` and also at the root; a slash at the end makes no difference.
* **Signing in.** `POST /api/v1/auth/login` gives an access token (`Authorization: Bearer …`) and a refresh token that \
works once.
* **Times** are RFC 3339 in UTC; input without a zone is UTC, a bare date is midnight. **Durations** are minutes, \
**money** is centimes of MAD, **sizes** are bytes.
* **Lists** are bare JSON arrays of at most `limit` (1 to 1000) rows; `X-Total-Count` has the total and `Link` the \
neighbours (RFC 8288). Totals are counted up to 10 000, those of a search (`q`) up to 1 000: beyond, `X-Total-Count-Exact: false` says \
that there are more, and `Link` has no `last`. The `next` page begins at a cursor, `apres`: rows that are added or removed meanwhile move \
nothing, and a page far from the start takes no longer than the first where the order has an index. Take cursors from `Link` alone; \
with `apres` there is no `offset`, and `sort` and the filters stay as they were. The last page may be empty. `sort` is a field of the row, with `-` before it for descending.
* **Errors** are `{detail, code, request_id}`: a sentence for people, a stable code for programs, and what to quote when \
asking for help. A 422 lists every fault of the request. Sentences are French; `Accept-Language: en` gets English.
* **Any request** can also be answered 405 (method), 408 (its body did not arrive in time), 413 (more than 1 MiB of JSON \
or form), 414 (an address of more than 64 KiB) or 431 (too many headers).
* **`Idempotency-Key`** on a POST: sent again within 24 hours by the same user to the same route with the same key, it has no \
further effect and gets the answer of the first time, with `Idempotency-Replayed: true`. The same key with another address or body \
is a 422 (`idempotency_key_reused`), and a 409 while the first is under way. What failed is not kept: its key is free. Bodies are \
compared byte for byte, uploads by the name of the file and its content. POSTs that answer with a token take no key.
* **`If-Match`** on an edit names the `version` that it was made from, in quotes: the `ETag` of one row. When somebody else has \
changed the row since, it is a 412 with the fields that differ, their present values and those that were sent. Without it the edit \
stands. The tag is that of the row: what is reckoned for its reader is no part of it, and what a proxy made of it that compresses (`W/\"3\"`) is taken as well.
* **`X-Request-ID`** is taken over when it is a UUID, else made; it is on every answer, log line and job.";

fn security_schemes() -> Value {
    json!({
        "motDePasse": {
            "type": "oauth2",
            "description": "Username and password.",
            "flows": { "password": {
                "tokenUrl": "/api/v1/auth/login", "refreshUrl": "/api/v1/auth/refresh", "scopes": {},
            } },
        },
        "jeton": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "An access token of `POST /api/v1/auth/login`, or an API key of `POST /api/v1/auth/api-keys`.",
        },
    })
}
