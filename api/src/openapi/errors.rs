//! The error responses in the document.
use erp_core::Code;
use serde_json::{Value, json};

const REQUEST_ID: &str = "0199c3a4-7c1e-7d2a-9b6f-2f6c1d0a9e84";

/// Adds `Erreur`, `ErreurDeVersion` and `ErreurDeValidation`.
pub fn add_schemas(schemas: &mut Value) {
    let (code, request_id) = (
        json!({ "type": "string", "pattern": "^[a-z0-9_]+$", "description": "Stable, for programs." }),
        json!({ "type": "string", "format": "uuid", "description": "What to quote when asking for help." }),
    );
    schemas["Erreur"] = json!({
        "type": "object",
        "description": "Why a request was refused.",
        "required": ["detail", "code", "request_id"],
        "properties": {
            "detail": { "type": "string", "description": "A sentence for people." },
            "code": code,
            "request_id": request_id,
            "defi": {
                "type": "string",
                "description": "With `second_facteur_requis` alone: what goes with the code to `POST /auth/second-factor`. It lasts five minutes.",
            },
        },
    });
    schemas["ErreurDeVersion"] = json!({
        "type": "object",
        "description": "Somebody else has changed the row since it was read.",
        "required": ["detail", "code", "request_id", "version", "differences"],
        "properties": {
            "detail": { "type": "string", "description": "A sentence for people." },
            "code": code,
            "request_id": request_id,
            "version": { "type": "integer", "format": "int64", "description": "The present version." },
            "differences": {
                "type": "array", "minItems": 1,
                "description": "The fields that the edit would change.",
                "items": {
                    "type": "object",
                    "required": ["champ", "actuel", "envoye"],
                    "properties": {
                        "champ": { "type": "string", "description": "The name of the field." },
                        "actuel": { "description": "Its present value; null for a secret, such as `password`." },
                        "envoye": { "description": "What the edit would make of it; null for a secret." },
                    },
                },
            },
        },
    });
    schemas["ErreurDeValidation"] = json!({
        "type": "object",
        "description": "Every fault of a request.",
        "required": ["detail", "code", "request_id"],
        "properties": {
            "detail": { "type": "array", "minItems": 1, "items": {
                "type": "object",
                "required": ["loc", "msg", "type"],
                "properties": {
                    "loc": {
                        "type": "array", "items": { "type": "string" }, "minItems": 1,
                        "description": "`body`, `query`, `path` or `header`, then the field.",
                    },
                    "msg": { "type": "string", "description": "A sentence for people." },
                    "type": { "type": "string", "description": "Stable, for programs." },
                },
            } },
            "code": code,
            "request_id": request_id,
            "message": {
                "type": "string",
                "description": "Where a password alone is at fault: one sentence of all its faults, for people.",
            },
        },
    });
}

/// The response `status` with one of `codes`, of which the first is in the example.
pub fn response(status: u16, codes: &[Code]) -> Value {
    let (schema, detail) = match status {
        422 => {
            let fault = json!({ "loc": ["body", "nom"], "msg": "Ce champ est obligatoire.", "type": "missing" });
            ("ErreurDeValidation", json!([fault]))
        }
        412 => ("ErreurDeVersion", json!(sentence(status))),
        _ => ("Erreur", json!(sentence(status))),
    };
    let listed: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
    let mut response = json!({
        "description": format!("{} Code: {}.", meaning(status), listed.join(", ")),
        "content": { "application/json": {
            "schema": { "$ref": format!("#/components/schemas/{schema}") },
            "example": { "detail": detail, "code": codes.first(), "request_id": REQUEST_ID },
        } },
    });
    if status == 412 {
        let example = &mut response["content"]["application/json"]["example"];
        example["version"] = json!(4);
        example["differences"] =
            json!([{ "champ": "equipe", "actuel": "Mécanique A", "envoye": "Mécanique B" }]);
    }
    let header = match status {
        401 => Some((
            "WWW-Authenticate",
            json!({ "type": "string", "const": "Bearer" }),
            "How to sign in.",
        )),
        429 | 503 => {
            Some(("Retry-After", json!({ "type": "integer", "minimum": 0 }), "Seconds to wait."))
        }
        _ => None,
    };
    if let Some((name, schema, description)) = header {
        response["headers"] = json!({ name: { "schema": schema, "description": description } });
    }
    response
}

fn meaning(status: u16) -> &'static str {
    match status {
        400 => "Refused by a rule.",
        401 => "No valid identity.",
        403 => "Known, but not allowed.",
        404 => "Something named is not there, or not for you.",
        409 => "In conflict with the present state.",
        412 => {
            "Somebody else has changed the row: its present version, and the fields that differ."
        }
        413 => "Too large.",
        415 => "Of a type that is not accepted.",
        422 => "The input is at fault; all its faults are listed.",
        428 => "An edit must say which version it was made from.",
        429 => "Too many requests.",
        431 => "Too many headers, or too large ones.",
        _ => "The database or the storage is away for the moment.",
    }
}

fn sentence(status: u16) -> &'static str {
    match status {
        400 => "L'intervention est terminée : ouvrez-en une nouvelle si le travail reprend.",
        401 => "Connectez-vous pour continuer.",
        403 => "Votre rôle ne permet pas cette action.",
        404 => "Intervention introuvable.",
        409 => "Une intervention « ouverte » ne peut pas passer à « archivee ».",
        412 => {
            "Quelqu'un a modifié cette fiche entre-temps : comparez les champs qui diffèrent, puis renvoyez votre demande."
        }
        413 => "Le fichier dépasse 10 Mio : réduisez-le ou envoyez-le en plusieurs fois.",
        415 => "Ce type de fichier n'est pas accepté.",
        428 => {
            "Dites de quelle version part votre modification : l'en-tête If-Match porte l'ETag de la fiche que vous avez lue."
        }
        429 => "Trop de requêtes en peu de temps : patientez un instant avant de réessayer.",
        431 => "La requête a trop d'en-têtes, ou de trop grands.",
        _ => "Le service est momentanément indisponible : réessayez dans quelques secondes.",
    }
}
