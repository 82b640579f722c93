//! Every mail, with every sample: complete, escaped, strict.

use std::sync::LazyLock;

use erp_core::mailer::{Rendered, Renderer, Template};
use serde_json::Value;

use super::samples;

fn renderer() -> &'static Renderer {
    static RENDERER: LazyLock<Renderer> =
        LazyLock::new(|| Renderer::new().expect("the templates compile"));
    &RENDERER
}

fn render(template: Template, context: &Value) -> Rendered {
    renderer().render(template, context).expect("it renders")
}

#[test]
fn every_mail_is_complete() {
    for (template, sample, context) in samples::all() {
        let Rendered { subject, html, text } = render(template, &context);
        let name = format!("{} {sample}", template.name());
        assert!(!subject.is_empty() && !text.trim().is_empty(), "{name}");
        assert!(subject.chars().count() <= 150 && !subject.contains(char::is_control), "{name}");
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
        let lien = context["lien"].as_str().unwrap();
        assert!(html.contains(&format!("href=\"{lien}\"")) && text.contains(lien), "{name}");
        assert!(text.contains("Vous recevez ce") && html.contains("Vous recevez ce"), "{name}");
        assert!(!text.contains("\n\n\n"), "{name}: {text}");
        if sample != "hostile" {
            assert!(!format!("{subject}{html}{text}").contains("{{"), "{name}");
            assert!(!format!("{html}{text}").contains("null"), "{name}");
        }
    }
}

#[test]
fn what_people_type_stays_text() {
    for (template, sample, context) in samples::all() {
        let Rendered { html, text, .. } = render(template, &context);
        let name = template.name();
        assert!(!html.contains("<script") && !html.contains('\r'), "{name}");
        assert!(!html.contains('\u{202e}') && !text.contains('\u{202e}'), "{name}");
        if sample == "hostile" {
            assert!(html.contains("&lt;script&gt;alert(&quot;x&quot;)"), "{name}");
            assert!(text.contains("<script>alert(\"x\")</script> & {{lien}}"), "{name}: {text}");
            assert!(text.contains('…'), "{name}: not cut");
            // A break inside a one-line field would start a line of its own.
            assert!(!text.contains("\nBcc:"), "{name}: {text}");
        }
    }
}

#[test]
fn a_variable_that_is_missing_is_an_error_in_every_mail() {
    for (template, sample, context) in samples::all() {
        for path in paths(&context) {
            let mut short = context.clone();
            let (parent, field) = path.rsplit_once('/').unwrap();
            short.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field).unwrap();
            let result = renderer().render(template, &short);
            // A list that is not shown is not read.
            let unread =
                sample == "sparse" && (path.ends_with("lignes") || path.ends_with("autres"));
            assert!(unread || result.is_err(), "{} without {path}", template.name());
        }
    }
}

/// The JSON pointers to all fields of all objects in `value`.
fn paths(value: &Value) -> Vec<String> {
    let below = |key: &str, child: &Value| {
        paths(child).into_iter().map(|path| format!("/{key}{path}")).collect::<Vec<_>>()
    };
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, child)| [vec![format!("/{key}")], below(key, child)].concat())
            .collect(),
        Value::Array(items) => {
            items.iter().enumerate().flat_map(|(i, child)| below(&i.to_string(), child)).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn the_text_of_a_notification_reads_well() {
    let mail = renderer()
        .render(Template::notification("affectation"), &samples::notification_full())
        .unwrap();
    assert_eq!(
        plain(&mail.subject),
        "Intervention affectée : Fuite d’huile sur le compresseur de l’atelier 2"
    );
    assert_eq!(
        plain(&mail.text),
        "Bonjour Karim El Alaoui,\n\n\
         L’intervention « Fuite d’huile sur le compresseur de l’atelier 2 » vous est affectée. \
         Ouvrez sa fiche pour la préparer, et passez-la « en cours » au début des travaux.\n\n\
         > Prévoir le kit de joints.\n> Le badge du site est à l’accueil.\n\n\
         Intervention : Fuite d’huile sur le compresseur de l’atelier 2 (n° 1042)\n\
         Équipement : Compresseur Atlas Copco GA 37\n\
         Lieu : Usine de Casablanca, atelier 2, travée C\n\
         Priorité : Urgente\n\
         Date limite : mardi 24 novembre 2026 à 09 h 30\n\
         Technicien : Salma Bennani\n\n\
         Ouvrir la fiche :\nhttps://erp.mif-maroc.example/interventions/1042\n\n\
         --\nMIF Maroc · Maintenance\n\
         Vous recevez ce message parce que cette intervention vous est affectée.\n\
         Ce message est envoyé automatiquement : les réponses ne sont pas lues.\n"
    );
}

#[test]
fn the_digest_counts_and_lists() {
    let mail = renderer().render(Template::DigestQuotidien, &samples::digest_full()).unwrap();
    assert_eq!(
        plain(&mail.subject),
        "Point du mardi 24 novembre 2026 : 12 en retard, 2 pour aujourd’hui, 3 à affecter"
    );
    let text = plain(&mail.text);
    for expected in [
        "Ouvertes : 128\n",
        "En retard (12)\n- Fuite d’huile",
        "  Pour le lundi 23 novembre 2026 à 17 h 00\n  Technicien : Salma Bennani\n",
        "  et 10 de plus dans l’application\n",
        "\nÀ affecter (3)\n",
    ] {
        assert!(text.contains(expected), "{expected:?} in:\n{text}");
    }
    let calm = renderer().render(Template::DigestQuotidien, &samples::digest_sparse()).unwrap();
    assert!(plain(&calm.subject).ends_with(" : rien d’urgent"), "{}", calm.subject);
    assert!(!calm.text.contains("À affecter ("), "{}", calm.text);
}

/// With ordinary spaces, as one types them into a test.
fn plain(text: &str) -> String {
    text.replace('\u{a0}', " ")
}
