//! Examples of every body and answer, made from the schemas and one list of plausible values.
use serde_json::{Map, Value, json};

/// An example value for a field of that name. A plain enumeration shows its first value instead; a field that is not listed
/// here shows a plain value of its type.
fn known(field: &str) -> Option<Value> {
    Some(match field {
        "access_token" => json!(
            "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJzLmlkcmlzc2lAbWlmLmV4YW1wbGUifQ.c2lnbmF0dXJl"
        ),
        "refresh_token" => {
            json!("5f0c8d5e2b7a4d0f9f5e1c3b7a9d2e4f6b8c0d1e2f3a4b5c6d7e8f9a0b1c2d3e")
        }
        "token_type" => json!("bearer"),
        "expires_in" => json!(3600),
        "username" => json!("s.idrissi"),
        "full_name" => json!("Salma Idrissi"),
        "email" => json!("s.idrissi@mif.example"),
        "password" | "new_password" => json!("pompe bleue du quai 4"),
        "current_password" => json!("grue jaune du port"),
        "role" => json!("responsable"),
        "nom" => json!("Pompe centrifuge P-101"),
        "type" => json!("Pompe"),
        "titre" => json!("Fuite à la garniture mécanique"),
        "localisation" => json!("Jorf Lasfar, atelier 2"),
        "frequence_entretien" => json!("30"),
        "numero_serie" => json!("KSB-2291-07"),
        "marque" => json!("KSB"),
        "modele" => json!("Etanorm 80-200"),
        "description" => json!("Fuite visible au joint, débit en baisse."),
        "remarque" => json!("Joint remplacé, essai concluant."),
        "commentaire" => json!("Vidange et contrôle des paliers."),
        "rapport_intervention" => json!("Garniture remplacée ; alignement vérifié."),
        "contenu" => json!("L'intervention commence lundi à 8 h 30."),
        "equipe" => json!("Mécanique A"),
        "nom_entreprise" => json!("Conserverie de Safi"),
        "ice" => json!("001234567000089"),
        "telephone" => json!("+212 522 12 34 56"),
        "adresse" => json!("12, quai des Pêcheurs"),
        "adresse_ip" => json!("192.0.2.7"),
        "user_agent" => {
            json!("Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0")
        }
        "ville" => json!("Safi"),
        "filename" => json!("fuite.jpg"),
        "path" => json!("static/uploads/3f2b8c1e-5d4a-4c7b-9e0f-1a2b3c4d5e6f.jpg"),
        "url" => json!(
            "/static/uploads/3f2b8c1e-5d4a-4c7b-9e0f-1a2b3c4d5e6f.jpg?fin=1795683600&signature=c2lnbmF0dXJl"
        ),
        "thumbnail_url" => json!(
            "/static/uploads/3f2b8c1e-5d4a-4c7b-9e0f-1a2b3c4d5e6f_thumbnail.webp?fin=1795683600&signature=c2lnbmF0dXJl"
        ),
        "preview_url" => json!(
            "/static/uploads/3f2b8c1e-5d4a-4c7b-9e0f-1a2b3c4d5e6f_preview.webp?fin=1795683600&signature=c2lnbmF0dXJl"
        ),
        "thumbnail_path" => {
            json!("static/uploads/3f2b8c1e-5d4a-4c7b-9e0f-1a2b3c4d5e6f_thumbnail.webp")
        }
        "preview_path" => json!("static/uploads/3f2b8c1e-5d4a-4c7b-9e0f-1a2b3c4d5e6f_preview.webp"),
        "content_type" | "mime" => json!("image/jpeg"),
        "sha256" => json!("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
        "size_bytes" => json!(2_481_733),
        "width" => json!(4000),
        "height" => json!(3000),
        "duree_estimee" => json!(90),
        "duree_reelle" => json!(75),
        "cout_pieces" => json!(45_000),
        "cout_main_oeuvre" => json!(30_000),
        "cout_estime" => json!(80_000),
        "cout_reel" => json!(75_000),
        "cout_pieces_mad" => json!("450.00"),
        "cout_main_oeuvre_mad" => json!("300.00"),
        "cout_estime_mad" => json!("800.00"),
        "cout_reel_mad" => json!("750.00"),
        "travaux_realises" => json!("Garniture et joint remplacés, alignement repris."),
        "recommandations" => json!("Contrôler les paliers au prochain arrêt."),
        "temps_deplacement" => json!(40),
        "satisfaction" => json!(5),
        "month" => json!("2026-11"),
        "taux_resolution" => json!(87.5),
        "mttr_heures" | "valeur" => json!(6.4),
        "zone" => json!("Africa/Casablanca"),
        "unite" => json!("heures"),
        "formule" => json!("heures_de_remise_en_etat / cloturees"),
        "source" => json!("EN 15341:2007, T21 ; termes de EN 13306"),
        "entrees" => {
            json!({"heures_de_remise_en_etat": 140.8, "cloturees": 22, "encore_ouvertes_a_la_fin": 3})
        }
        "donnees_manquantes" => json!("Comptent les correctives clôturées dans la période…"),
        "message" => json!("Mot de passe modifié : reconnectez-vous."),
        "detail" => json!("Document supprimé."),
        "competences_ids" => json!([1, 2]),
        "is_active" => json!(true),
        "langue" => json!("fr"),
        "jeton" => json!("5f0c8d5e2b7a4d0f9f5e1c3b7a9d2e4f6b8c0d1e2f3a4b5c6d7e8f9a0b1c2d3e"),
        "debut" => json!("20:00"),
        "fin" => json!("07:00"),
        "error" | "derniere_erreur" | "pages" | "raison" => Value::Null,
        _ => return None,
    })
}

/// Adds an example to every JSON body and every JSON answer that has none.
pub fn add(document: &mut Value) {
    let schemas = document["components"]["schemas"].clone();
    let operations =
        document["paths"].as_object_mut().into_iter().flatten().flat_map(|(_, item)| {
            item.as_object_mut().into_iter().flatten().map(|(_, operation)| operation)
        });
    for operation in operations {
        if let Some(content) =
            operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut)
        {
            add_to(content, &schemas);
        }
        for (_, response) in operation["responses"].as_object_mut().into_iter().flatten() {
            if let Some(content) = response.get_mut("content").and_then(Value::as_object_mut) {
                add_to(content, &schemas);
            }
        }
    }
}

fn add_to(content: &mut Map<String, Value>, schemas: &Value) {
    for (content_type, media) in content {
        let shown = content_type == "application/json"
            || content_type == "application/x-www-form-urlencoded";
        if shown && media.get("example").is_none() {
            media["example"] = of(&media["schema"], "", schemas);
        }
    }
}

fn of(schema: &Value, field: &str, schemas: &Value) -> Value {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        return of(&schemas[name], field, schemas);
    }
    // `allOf`: the fields of all its schemas.
    if let Some(all) = schema["allOf"].as_array() {
        let parts = all.iter().map(|part| of(part, field, schemas));
        let fields = parts.filter_map(|part| part.as_object().cloned()).flatten();
        return fields.collect::<Map<_, _>>().into();
    }
    for choices in ["anyOf", "oneOf"] {
        let real = |choice: &&Value| choice["type"] != "null";
        if let Some(choice) = schema[choices].as_array().and_then(|all| all.iter().find(real)) {
            return known(field).unwrap_or_else(|| of(choice, field, schemas));
        }
    }
    if let Some(text) = schema["enum"][0].as_str() {
        return json!(text);
    }
    let kind = schema["type"].as_str().or_else(|| schema["type"][0].as_str()).unwrap_or_default();
    match (kind, schema["format"].as_str()) {
        ("object", _) if schema["properties"].is_null() => {
            known(field).unwrap_or_else(|| json!({}))
        }
        ("object", _) => schema["properties"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, property)| (name.clone(), of(property, name, schemas)))
            .collect::<Map<_, _>>()
            .into(),
        ("array", _) => {
            known(field).unwrap_or_else(|| json!([of(&schema["items"], field, schemas)]))
        }
        ("string", Some("date-time")) => json!("2026-11-23T08:30:00Z"),
        ("string", Some("date")) => json!("2026-11-23"),
        ("string", Some("uuid")) => json!("3f2b8c1e-5d4a-4c7b-9e0f-1a2b3c4d5e6f"),
        ("string", _) => known(field).unwrap_or_else(|| json!("…")),
        ("boolean", _) => known(field).unwrap_or(Value::Bool(false)),
        ("integer", _) => known(field).unwrap_or_else(|| json!(1)),
        ("number", _) => known(field).unwrap_or_else(|| json!(1.5)),
        _ => Value::Null,
    }
}
