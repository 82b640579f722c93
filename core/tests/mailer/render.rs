//! Every mail, with every sample, in both languages: complete, escaped, strict.

use std::sync::LazyLock;

use erp_core::Lang;
use erp_core::mailer::samples::{self, Sample};
use erp_core::mailer::{NotificationMail, Rendered, Renderer, Template};
use serde::Serialize;
use serde_json::Value;

/// All that the templates themselves make; whatever else is in a mail came from its values.
const TAGS: [&str; 21] = [
    "!doctype", "a", "bdi", "body", "br", "div", "h1", "h2", "head", "html", "meta", "p", "span",
    "strong", "style", "table", "td", "th", "title", "tr", "tbody",
];

pub fn renderer() -> &'static Renderer {
    static RENDERER: LazyLock<Renderer> =
        LazyLock::new(|| Renderer::new().expect("the templates compile"));
    &RENDERER
}

pub fn render(template: Template, context: &impl Serialize) -> Rendered {
    renderer().render(template, context).expect("it renders")
}

/// With ordinary spaces, as one types them into a test.
pub fn plain(text: &str) -> String {
    text.replace('\u{a0}', " ")
}

/// Every sample with its name, as it reaches the templates, and what they make of it.
fn all() -> impl Iterator<Item = (String, Sample, Value, Rendered)> {
    samples::all().into_iter().map(|sample| {
        let name = format!("{} {} {}", sample.template.name(), sample.name, sample.langue);
        let context = serde_json::to_value(&sample.context).expect("plain data");
        let mail = render(sample.template, &sample.context);
        (name, sample, context, mail)
    })
}

/// Subject and text of every full mail, as they were approved: `snapshots/`. After a change of a template look at them again
/// (`INSTA_UPDATE=always cargo test --workspace --test mailer`, then read the difference).
#[test]
fn every_mail_reads_as_it_was_approved() {
    for (name, sample, _, Rendered { subject, text, .. }) in all() {
        if sample.name != "hostile" {
            insta::assert_snapshot!(name.replace(' ', "_"), format!("{subject}\n\n{text}"));
        }
    }
}

#[test]
fn every_mail_is_complete() {
    for (name, sample, context, Rendered { subject, html, text }) in all() {
        assert!(!subject.is_empty() && !text.trim().is_empty(), "{name}");
        assert!(subject.chars().count() <= 150 && !subject.contains(char::is_control), "{name}");
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
        assert!(html.contains(&format!("<html lang=\"{}\">", sample.langue)), "{name}");
        let lien = context["lien"].as_str().unwrap();
        assert!(html.contains(&format!("href=\"{lien}\"")) && text.contains(lien), "{name}");
        let raison = match sample.langue {
            Lang::Fr => "Vous recevez ce",
            Lang::En => "You receive this",
        };
        assert!(text.contains(raison) && html.contains(raison), "{name}");
        assert!(!text.contains("\n\n\n"), "{name}: {text}");
        if sample.name != "hostile" {
            assert!(!format!("{subject}{html}{text}").contains("{{"), "{name}");
            assert!(!format!("{html}{text}").contains("null"), "{name}");
        }
    }
}

/// Both parts of a mail hold the same sentences: nobody reads less for reading plain text.
#[test]
fn the_two_parts_say_the_same() {
    for (name, sample, _, Rendered { html, text, .. }) in all() {
        if sample.name == "hostile" {
            continue;
        }
        let html = words_of(&html);
        let sentences = text.lines().filter(|line| {
            line.ends_with('.') && !line.starts_with("> ") && !line.starts_with("  ")
        });
        for sentence in sentences {
            assert!(html.contains(sentence), "{name}: {sentence:?} in:\n{html}");
        }
    }
}

/// What is left of HTML when the tags are gone.
fn words_of(html: &str) -> String {
    let after_tags =
        html.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    after_tags.collect::<String>().replace('\n', " ")
}

#[test]
fn what_people_type_stays_text() {
    for (name, sample, _, Rendered { html, text, .. }) in all() {
        assert!(!html.contains('\r') && !text.contains('\r'), "{name}");
        assert!(!html.contains('\u{202e}') && !text.contains('\u{202e}'), "{name}");
        for tag in html.split('<').skip(1) {
            let tag = tag.trim_start_matches('/');
            let end =
                tag.find(|c: char| !c.is_ascii_alphanumeric() && c != '!').unwrap_or(tag.len());
            assert!(TAGS.contains(&&tag[..end]), "{name}: <{tag}");
            let attributes = tag.split('>').next().unwrap();
            assert!(!attributes.contains(" on") && !attributes.contains("alert"), "{name}: <{tag}");
        }
        for link in html.split("href=\"").skip(1) {
            assert!(link.starts_with("http"), "{name}: {link}");
        }
        if sample.name == "hostile" {
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
    for (name, sample, context, _) in all() {
        for path in paths(&context) {
            let mut short = context.clone();
            let (parent, field) = path.rsplit_once('/').unwrap();
            short.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(field).unwrap();
            let result = renderer().render(sample.template, &short);
            assert!(unread(&context, parent, field) || result.is_err(), "{name} without {path}");
        }
    }
}

/// A list that is not shown is not read, nor is what only stands beside the equipment.
fn unread(context: &Value, parent: &str, field: &str) -> bool {
    let parent = context.pointer(parent).expect("it was found");
    match field {
        "titre" | "lignes" | "autres" => parent.get("total") == Some(&Value::from(0)),
        "localisation" => parent.get("echeance").is_some() && parent["equipement"].is_null(),
        _ => false,
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

fn notification(template: Template, langue: Lang) -> Rendered {
    render(template, &samples::notification(template, langue))
}

#[test]
fn the_text_of_a_notification_reads_well() {
    let mail = notification(Template::notification("affectation"), Lang::Fr);
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
         Date limite : mardi 24 novembre 2026 à 08 h 30\n\
         Technicien : Salma Bennani\n\n\
         Ouvrir la fiche :\nhttps://erp.mif-maroc.example/interventions/1042\n\n\
         --\nMIF Maroc · Maintenance\n\
         Vous recevez ce message parce que cette intervention vous est affectée.\n\
         Ce message est envoyé automatiquement : les réponses ne sont pas lues.\n"
    );
}

#[test]
fn an_alert_reads_well_in_english() {
    let mail = notification(Template::NotificationAlerte, Lang::En);
    assert_eq!(mail.subject, "Alert: Fuite d’huile sur le compresseur de l’atelier 2");
    assert_eq!(
        plain(&mail.text),
        "Hello Karim El Alaoui,\n\n\
         The intervention “Fuite d’huile sur le compresseur de l’atelier 2” needs your attention. \
         It has no technician yet: assign it as soon as possible.\n\n\
         > No technician for 4 h 10 (target: 2 h). Level 2 of 3.\n\n\
         Intervention: Fuite d’huile sur le compresseur de l’atelier 2 (no. 1042)\n\
         Equipment: Compresseur Atlas Copco GA 37\n\
         Location: Usine de Casablanca, atelier 2, travée C\n\
         Priority: Urgent\n\
         Deadline: Tuesday 24 November 2026 at 08:30\n\n\
         Open the intervention:\nhttps://erp.mif-maroc.example/interventions/1042\n\n\
         --\nMIF Maroc · Maintenance\n\
         You receive this message because you follow the work of the team.\n\
         This message is sent automatically: replies are not read.\n"
    );
}

#[test]
fn a_reminder_knows_a_visit_from_a_deadline() {
    let echeance = notification(Template::NotificationRappel, Lang::Fr);
    assert!(
        plain(&echeance.subject).starts_with("Échéance demain : Fuite"),
        "{}",
        echeance.subject
    );
    for expected in ["arrive à échéance demain", "Date limite : mardi 24", "(n° 1042)"] {
        assert!(plain(&echeance.text).contains(expected), "{expected:?} in:\n{}", echeance.text);
    }
    let visite: NotificationMail = samples::visite(Lang::Fr);
    let visite = render(Template::NotificationRappel, &visite);
    assert_eq!(plain(&visite.subject), "Rappel : Maintenance mensuelle");
    for expected in ["« Maintenance mensuelle » est à venir", "Prévue le : mardi 24 novembre"] {
        assert!(plain(&visite.text).contains(expected), "{expected:?} in:\n{}", visite.text);
    }
    assert!(!visite.text.contains("n°"), "{}", visite.text);
}
