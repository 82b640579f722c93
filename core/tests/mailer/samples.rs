//! Sample contexts: a full one, the sparsest one, and a hostile one.
//! The example `mails` shows the same.

use erp_core::mailer::{DigestLigne, DigestMail, DigestSection, NotificationMail, Template};
use serde_json::{Value, to_value};

/// What somebody may type into a title.
pub const HOSTILE: &str =
    "<script>alert(\"x\")</script> & {{lien}} 'é'\r\nBcc: x@y.ma \u{202e}fdp.exe 👩\u{200d}🔧";

pub fn notification_full() -> NotificationMail {
    NotificationMail {
        destinataire_nom: "Karim El Alaoui".into(),
        intervention_id: Some(1042),
        titre: "Fuite d’huile sur le compresseur de l’atelier 2".into(),
        equipement: Some("Compresseur Atlas Copco GA 37".into()),
        localisation: Some("Usine de Casablanca, atelier 2, travée C".into()),
        priorite: Some("urgente".into()),
        date_limite: Some("2026-11-24T08:30:00Z".parse().expect("a date")),
        technicien: Some("Salma Bennani".into()),
        contenu: Some("Prévoir le kit de joints.\nLe badge du site est à l’accueil.".into()),
        lien: "https://erp.mif-maroc.example/interventions/1042".into(),
    }
}

pub fn notification_sparse() -> NotificationMail {
    NotificationMail {
        destinataire_nom: "Ali".into(),
        intervention_id: None,
        titre: "Pompe".into(),
        equipement: None,
        localisation: None,
        priorite: None,
        date_limite: None,
        technicien: None,
        contenu: None,
        lien: "http://localhost:5173/planning/3".into(),
    }
}

pub fn ligne(titre: &str, full: bool) -> DigestLigne {
    DigestLigne {
        titre: titre.into(),
        equipement: "Compresseur Atlas Copco GA 37".into(),
        localisation: full.then(|| "Casablanca, atelier 2".into()),
        priorite: "urgente".into(),
        date_limite: full.then(|| "2026-11-23T16:00:00Z".parse().expect("a date")),
        technicien: full.then(|| "Salma Bennani".into()),
        lien: "https://erp.mif-maroc.example/interventions/1042".into(),
    }
}

pub fn digest_full() -> DigestMail {
    let lignes = vec![
        ligne("Fuite d’huile sur le compresseur de l’atelier 2", true),
        ligne("Roulement bruyant du convoyeur", false),
    ];
    DigestMail {
        destinataire_nom: "Nadia Tazi".into(),
        jour: "2026-11-24".parse().expect("a date"),
        ouvertes: 128,
        en_retard: DigestSection { total: 12, lignes: lignes.clone() },
        echeance_du_jour: DigestSection { total: 2, lignes },
        non_affectees: DigestSection {
            total: 3,
            lignes: vec![ligne("Roulement bruyant du convoyeur", false)],
        },
        lien: "https://erp.mif-maroc.example/interventions".into(),
    }
}

pub fn digest_sparse() -> DigestMail {
    DigestMail {
        ouvertes: 0,
        en_retard: DigestSection::default(),
        echeance_du_jour: DigestSection::default(),
        non_affectees: DigestSection::default(),
        ..digest_full()
    }
}

/// Every template with the samples that fit it, as they reach the templates.
pub fn all() -> Vec<(Template, &'static str, Value)> {
    Template::ALL
        .into_iter()
        .flat_map(|template| match template {
            Template::DigestQuotidien => [
                (template, "full", to_value(digest_full()).expect("plain data")),
                (template, "sparse", to_value(digest_sparse()).expect("plain data")),
                (template, "hostile", hostile(to_value(digest_full()).expect("plain data"))),
            ],
            _ => [
                (template, "full", to_value(notification_full()).expect("plain data")),
                (template, "sparse", to_value(notification_sparse()).expect("plain data")),
                (template, "hostile", hostile(to_value(notification_full()).expect("plain data"))),
            ],
        })
        .collect()
}

/// The same context with every text replaced by [`HOSTILE`], 500 characters of it at least.
fn hostile(value: Value) -> Value {
    match value {
        Value::String(text) if text.starts_with("http") => Value::String(text),
        Value::String(_) => Value::String(format!("{HOSTILE} {}", "Très-long-".repeat(50))),
        Value::Array(items) => items.into_iter().map(hostile).collect(),
        Value::Object(fields) => fields.into_iter().map(|(k, v)| (k, hostile(v))).collect(),
        other => other,
    }
}
